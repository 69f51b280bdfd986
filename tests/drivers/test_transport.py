"""What a reader doesn't take at once, and one that never takes it."""

import threading
from pathlib import Path
from typing import Any

import pytest
from drivers.loops import BUFFERED, LAST, read_all, running, send_file
from running import wait_until

from tiamat.drivers.service import Timeouts

pytestmark = pytest.mark.usefixtures("kind")


def test_a_file_is_sent_whole_after_the_application_closed_it() -> None:
    """
    The descriptor is ours while a slow reader takes the file.
    """
    with running(send_file) as server, server.connect() as sock:
        sock.sendall(LAST % b"file")
        answer = read_all(sock)

    assert b"f" * 1_000_000 == answer.split(b"\r\n\r\n", 1)[1]


@BUFFERED
def test_a_response_without_room_on_the_disk_ends_short(tmp_path: Path) -> None:
    """
    What can't be spooled leaves no gap: nothing comes behind it, and the
    connection ends without the last chunk.
    """

    ended = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        try:
            for number in range(2000):
                yield b"%07d\n" % number * 1000
        finally:
            ended.set()

    with running(app) as server, server.connect() as sock:
        server.loop.service.spool_directory = str(tmp_path / "missing")
        sock.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert ended.wait(20)  # nobody reads meanwhile
        body = read_all(sock).partition(b"\r\n\r\n")[2]

    chunks = [piece for piece in body.split(b"1f40\r\n") if piece]
    whole = [b"%07d\n" % number * 1000 + b"\r\n" for number in range(len(chunks) - 1)]
    assert (whole, False) == (chunks[:-1], body.endswith(b"0\r\n\r\n"))


def endless(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with more than sockets take."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"e" * 30_000_000]


def test_a_reader_that_stalls_is_let_go() -> None:
    """
    Who takes no byte of its response for the write timeout is closed.
    """
    with running(endless, Timeouts(write=0.2)) as server, server.connect() as sock:
        sock.sendall(LAST % b"")
        wait_until(lambda: server.handled, "the application has answered")
        wait_until(lambda: not server.loop.connections, "the connection is closed")


def test_beyond_the_spool_limit_the_application_waits_for_its_reader() -> None:
    """
    The disk is not filled for one client; it gets its whole response all the same.
    """
    with running(endless) as server, server.connect() as sock:
        server.loop.service.response_spool_limit = 1_000_000
        sock.sendall(LAST % b"")
        answer = read_all(sock)

    assert b"e" * 30_000_000 == answer.partition(b"\r\n\r\n")[2]


def test_who_stalls_beyond_the_spool_limit_holds_the_others_up_no_longer() -> None:
    """
    That wait ends with the write timeout, and the next client is served.
    """
    with running(endless, Timeouts(write=0.2)) as server, server.connect() as sock:
        server.loop.service.response_spool_limit = 1_000_000
        sock.sendall(LAST % b"")
        wait_until(lambda: server.handled, "the application has answered")
        refused = server.ask(b"GET / HTTP/1.1\r\n\r\n")

    assert refused.startswith(b"HTTP/1.1 400 ")
