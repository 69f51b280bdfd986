"""What a slow reader hasn't taken yet."""

import os
import socket
import tempfile

from tiamat.drivers.outgoing import MEMORY, Outgoing


def send_all(out: Outgoing, ours: socket.socket, theirs: socket.socket) -> bytes:
    """Read on one end while the other sends; return what came."""
    got = b""
    done = False
    while not done:
        try:
            done = out.send(ours)
        except BlockingIOError:
            got += theirs.recv(1 << 20)
    ours.shutdown(socket.SHUT_WR)
    while data := theirs.recv(1 << 20):
        got += data
    return got


def test_order_is_kept_across_memory_spool_and_files() -> None:
    """
    Bytes leave in the order in which they were put, wherever they waited.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs, tempfile.TemporaryFile() as file:
        ours.setblocking(False)
        file.write(b"0123456789")
        file.flush()
        out = Outgoing(None)
        out.put(memoryview(b"a" * 10))
        out.put(memoryview(b"b" * MEMORY))
        out.put_file(file.fileno(), 2, 3)
        out.put(memoryview(b"c" * 10))
        got = send_all(out, ours, theirs)
        out.close()

    assert b"a" * 10 + b"b" * MEMORY + b"234" + b"c" * 10 == got
    assert 0 == out.spooled


def test_closing_gives_back_every_descriptor() -> None:
    """
    Files that were not sent are closed with the rest.
    """
    before = len(os.listdir("/proc/self/fd"))
    with tempfile.TemporaryFile() as file:
        out = Outgoing(None)
        out.put(memoryview(b"b" * (MEMORY + 1)))
        out.put_file(file.fileno(), 0, 1)
        out.close()

    assert before == len(os.listdir("/proc/self/fd"))


def test_a_spool_that_was_sent_gives_its_room_back() -> None:
    """
    A long response takes no more of the disk than what waits of it.
    """
    out = Outgoing(None)
    sizes = []
    for _ in range(5):
        out.put(memoryview(b"s" * (MEMORY + 1)))
        assert out._spool is not None
        sizes.append(os.fstat(out._spool.fileno()).st_size)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            send_all(out, ours, theirs)
    out.close()

    assert [MEMORY + 1] * 5 == sizes
