"""A loop in gevent's hub, where there is no epoll that the hub could watch."""

import select
import socket
import threading
from collections.abc import Iterator

import gevent
import pytest

from tiamat.system.poller import IN, OUT
from tiamat.workers.green_loop import HubPoller


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


class Called:
    """A poller, and whether it has asked to be looked at."""

    def __init__(self) -> None:
        self.asked = gevent.event.Event()
        self.poller = HubPoller(gevent.get_hub(), self.asked.set)

    def events(self) -> list[tuple[int, int]]:
        """What is ready, as soon as something is."""
        assert self.asked.wait(20)
        self.asked.clear()
        return sorted(set(self.poller.poll(0, 10)))


def test_the_hub_says_who_is_ready(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    For what is waited for, as long as it is, and nothing else.
    """
    ours, theirs = pair
    called = Called()
    poller = called.poller
    poller.register(ours.fileno(), IN)
    gevent.sleep(0)

    assert [] == poller.poll(0, 10)

    theirs.send(b"x")

    assert [(ours.fileno(), IN)] == called.events()
    assert [(ours.fileno(), IN)] == called.events()  # it still is

    poller.modify(ours.fileno(), OUT)
    called.poller.poll(0, 10)

    assert [(ours.fileno(), OUT)] == called.events()

    poller.unregister(ours.fileno())
    poller.unregister(ours.fileno())
    poller.poll(0, 10)
    gevent.sleep(0.01)

    assert [] == poller.poll(0, 10)


def test_a_muted_connection_says_nothing(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """
    It is waited for again when it is told so.
    """
    ours, theirs = pair
    called = Called()
    called.poller.register(ours.fileno(), IN)
    called.poller.modify(ours.fileno(), 0)
    theirs.send(b"x")
    gevent.sleep(0.01)

    assert [] == called.poller.poll(0, 10)

    called.poller.modify(ours.fileno(), IN)

    assert [(ours.fileno(), IN)] == called.events()

    called.poller.close()


def test_another_thread_may_end_the_waiting(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """
    The hub does it, soon: watchers are no business of other threads.
    """
    ours, theirs = pair
    called = Called()
    poller = called.poller
    poller.register(ours.fileno(), IN)
    thread = threading.Thread(target=poller.unregister, args=(ours.fileno(),))
    thread.start()
    thread.join(20)
    while poller._watchers:
        gevent.sleep(0.001)
    theirs.send(b"x")

    assert select.select([ours], [], [], 20)[0]
    gevent.sleep(0.01)
    assert [] == poller.poll(0, 10)
