"""Waiting for many descriptors at once."""

import select
import socket
from collections.abc import Callable

import pytest

from tiamat.system.poller import (
    EXCLUSIVE,
    GONE,
    IN,
    OUT,
    Poller,
    PollPoller,
    make_poller,
)

both = pytest.mark.parametrize("make", [select.epoll, PollPoller])
Make = Callable[[], Poller]


def test_linux_has_epoll() -> None:
    """
    Where there is epoll it is used.
    """
    poller = make_poller()

    assert isinstance(poller, select.epoll)
    poller.close()


@both
def test_what_is_waited_for_may_change(make: Make) -> None:
    """
    Reading, writing, nothing: one after the other on one descriptor.
    """
    poller = make()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        poller.register(ours.fileno(), IN)
        reading = poller.poll(0, 8)
        poller.modify(ours.fileno(), OUT)
        writing = poller.poll(0, 8)
        poller.modify(ours.fileno(), 0)
        nothing = poller.poll(0, 8)
        poller.unregister(ours.fileno())
        number = ours.fileno()
    poller.close()

    assert [[(number, IN)], [(number, OUT)], []] == [reading, writing, nothing]


@both
def test_a_peer_that_has_gone_is_told_from_one_that_has_said_all(make: Make) -> None:
    """
    A half-closed connection can be answered; one that is closed can not.
    """
    poller = make()
    ours, theirs = socket.socketpair()
    with ours:
        poller.register(ours.fileno(), IN)
        theirs.shutdown(socket.SHUT_WR)
        half = poller.poll(1, 8)[0][1]
        theirs.close()
        gone = poller.poll(1, 8)[0][1]
    poller.close()

    assert (IN, 0, True) == (half & IN, half & GONE, bool(gone & GONE))


@both
def test_a_closed_descriptor_is_forgotten(make: Make) -> None:
    """
    Who closes a socket need not tell, and its number may mean another one soon.
    """
    poller = make()
    ours, theirs = socket.socketpair()
    poller.register(ours.fileno(), IN)
    ours.close()

    assert [] == poller.poll(0, 8)
    poller.register(theirs.fileno(), OUT)
    assert [(theirs.fileno(), OUT)] == [
        (fd, mask & OUT) for fd, mask in poller.poll(0, 8)
    ]
    theirs.close()
    poller.close()


@both
def test_a_listener_may_be_waited_for_exclusively(make: Make) -> None:
    """
    The wish is no error where it can't be granted.
    """
    poller = make()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        poller.register(listener.fileno(), IN | EXCLUSIVE)
        with socket.create_connection(listener.getsockname()):
            assert [(listener.fileno(), IN)] == poller.poll(10, 8)
        poller.unregister(listener.fileno())
    poller.close()
