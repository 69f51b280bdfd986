"""A socket that lets other greenlets run while it waits."""

import socket
from collections.abc import Iterator

import gevent
import pytest

from tiamat.workers.green_socket import GreenSocket

LARGE = b"x" * 3_000_000


@pytest.fixture
def pair() -> Iterator[tuple[GreenSocket, socket.socket]]:
    """One end that is green, and the other."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(20)
    green = GreenSocket(ours, gevent.get_hub())
    yield green, theirs
    green.close()
    theirs.close()


def test_a_reader_waits_for_what_comes(
    pair: tuple[GreenSocket, socket.socket],
) -> None:
    """
    Others run meanwhile; the end is nothing.
    """
    green, theirs = pair
    reader = gevent.spawn(green.recv, 100)
    gevent.spawn(theirs.sendall, b"hello")

    assert b"hello" == reader.get(timeout=20)
    theirs.shutdown(socket.SHUT_WR)
    assert b"" == gevent.spawn(green.recv, 100).get(timeout=20)


def test_who_is_switched_to_for_nothing_waits_on(
    pair: tuple[GreenSocket, socket.socket],
) -> None:
    """
    A greenlet that somebody else wakes has nothing to read yet.
    """
    green, theirs = pair
    reader = gevent.spawn(green.recv, 100)
    gevent.sleep(0)
    gevent.get_hub().loop.run_callback(reader.switch)
    gevent.sleep(0)
    theirs.sendall(b"late")

    assert b"late" == reader.get(timeout=20)


@pytest.mark.parametrize("several", [False, True], ids=["send", "sendmsg"])
def test_a_writer_waits_for_its_reader(
    pair: tuple[GreenSocket, socket.socket], several: bool
) -> None:
    """
    Until the kernel takes some more.
    """
    green, theirs = pair
    theirs.setblocking(False)
    reader = GreenSocket(theirs.dup(), gevent.get_hub())

    def write() -> None:
        data = LARGE
        while data:
            parts = [data[:10], data[10:]]
            data = data[green.sendmsg(parts) if several else green.send(data) :]

    def read() -> int:
        received = 0
        while received < len(LARGE):
            received += len(reader.recv(65536))
        reader.close()
        return received

    writer = gevent.spawn(write)

    assert len(LARGE) == gevent.spawn(read).get(timeout=20)
    writer.get(timeout=20)


def test_a_reader_can_be_ended_from_outside(
    pair: tuple[GreenSocket, socket.socket],
) -> None:
    """
    An exception thrown into it, or the end of its side of the connection.
    """
    green, _ = pair
    reader = gevent.spawn(green.recv, 100)
    gevent.sleep(0)
    reader.kill(timeout=20)
    other = gevent.spawn(green.recv, 100)
    gevent.sleep(0)
    green.shutdown(socket.SHUT_RD)

    assert reader.dead
    assert b"" == other.get(timeout=20)
