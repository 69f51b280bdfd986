"""Who waits too long, who makes room, and who may stay at the end."""

import pytest
from drivers.loops import (
    BUFFERED,
    GET,
    LAST,
    echo_path,
    large,
    read_all,
    read_until,
    running,
)
from running import wait_until

from tiamat.drivers.service import Timeouts

pytestmark = pytest.mark.usefixtures("kind")


def test_a_slow_sender_of_a_head_gets_408() -> None:
    """
    A head that stays incomplete for the header timeout is answered with 408.
    """
    with running(echo_path, Timeouts(header=0.2)) as server:
        answer = server.ask(b"GET / HTTP/1.1\r\nHost: te")

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_silent_connection_is_closed() -> None:
    """
    Who sends nothing at all is closed after the header timeout, without a word.
    """
    with running(echo_path, Timeouts(header=0.2)) as server:
        answer = server.ask(b"")

    assert answer == b""


def test_an_idle_connection_is_closed_after_keepalive() -> None:
    """
    Behind a response an idle connection is closed after the keepalive timeout.
    """
    with running(echo_path, Timeouts(keepalive=0.2)) as server:
        answer = server.ask(GET % b"once")

    assert answer.endswith(b"/once")


def test_at_the_limit_the_longest_silent_connection_makes_room() -> None:
    """
    A new client is served, however many say nothing; the oldest of those goes.
    """
    with running(echo_path) as server:
        server.loop.service.limit_connections = 3
        silent = []
        for _ in range(3):
            silent.append(server.connect())
            wait_until(lambda: server.loop.connections == len(silent), "it is open")
        answer = server.ask(LAST % b"new")
        gone = silent[0].recv(1)
        silent[2].sendall(LAST % b"late")
        late = read_all(silent[2])
        for sock in silent:
            sock.close()

    assert (b"/new", b"", b"/late") == (answer[-4:], gone, late[-5:])


def test_an_idle_connection_is_answered_while_draining() -> None:
    """
    It stays for its next request, hears that this is the last, and the drain ends.
    """
    with (
        running(echo_path, Timeouts(keepalive=20)) as server,
        server.connect() as sock,
    ):
        sock.sendall(GET % b"one")
        read_until(sock, b"/one")
        server.draining = server.stopping = True
        wait_until(lambda: not server.loop.accepting, "nobody is accepted any more")
        sock.sendall(GET % b"two")
        answer = read_all(sock)
        server.thread.join(20)
        over = not server.thread.is_alive()

    assert (b"/two", 1, True) == (
        answer[-4:],
        answer.count(b"Connection: close"),
        over,
    )


@BUFFERED
def test_a_slow_reader_gets_all_while_draining() -> None:
    """
    Only idle connections are short of time then, not who still reads.
    """
    with (
        running(large, Timeouts(keepalive=0.2)) as server,
        server.connect() as slow,
        server.connect() as idle,
    ):
        slow.sendall(GET % b"large")
        wait_until(lambda: server.handled, "the application has answered")
        server.draining = server.stopping = True
        ended = read_all(idle)
        answer = read_all(slow)

    assert (b"", 20_000_000) == (ended, answer.count(b"x"))
