"""New connections: who makes room for them, and when they wait outside."""

import errno
import os
import socket
from typing import Any

import pytest
from drivers.loops import LAST, echo_path, read_all, running
from running import wait_until

pytestmark = pytest.mark.usefixtures("kind")


class Exhausted(socket.socket):
    """A listener that can't accept for want of descriptors, as often as told."""

    times = 0
    tries = 0

    def _accept(self) -> Any:
        self.tries += 1
        if self.times:
            self.times -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super()._accept()  # type: ignore[misc]  # typeshed leaves it out


def test_without_descriptors_accepting_pauses(caplog: pytest.LogCaptureFixture) -> None:
    """
    The loop sleeps meanwhile, says so once, and then serves who waited.
    """
    with running(echo_path) as server:
        listener = Exhausted(fileno=server.listener.detach())
        listener.setblocking(False)
        listener.times = 2
        server.loop._listeners[listener.fileno()] = listener
        answer = server.ask(LAST % b"late")

    assert answer.endswith(b"/late")
    assert 3 == listener.tries
    assert 2 == caplog.text.count("accept: Too many open files, pausing")


def test_what_becomes_of_a_connection_can_be_chosen() -> None:
    """
    ``begin`` gets the socket; one that it can't serve is closed, and the loop goes on.
    """

    def begin(sock: socket.socket, address: Any, base: dict[str, Any]) -> None:
        if chosen:
            raise ValueError("not this one")
        chosen.append(base["SERVER_NAME"])
        sock.send(b"mine")
        sock.close()

    chosen: list[str] = []
    with running(echo_path) as server:
        server.loop.begin = begin
        with server.connect() as first:
            said = read_all(first)
        with server.connect() as second:
            nothing = read_all(second)
        server.loop.begin = server.loop.adopt
        answer = server.ask(LAST % b"after")

    assert (b"mine", b"", ["127.0.0.1"]) == (said, nothing, chosen)
    assert answer.endswith(b"/after")


def test_listeners_may_be_closed_while_a_connection_is_accepted() -> None:
    """
    The helper closes them when the master is gone, whatever the loop does: what it
    has accepted just now is served, and nothing fails.
    """

    class Closing(socket.socket):
        """A listener that another thread closes behind its first connection."""

        def _accept(self) -> Any:
            accepted = super()._accept()  # type: ignore[misc]
            server.listener.close()
            server.loop.close_listeners()
            return accepted

    with running(echo_path) as server:
        listener = Closing(fileno=os.dup(server.listener.fileno()))
        listener.setblocking(False)
        server.loop._listeners[server.listener.fileno()] = listener
        answer = server.ask(LAST % b"last")
        wait_until(lambda: not server.loop.connections, "it is closed")

    assert answer.endswith(b"/last")
    assert -1 == listener.fileno()
