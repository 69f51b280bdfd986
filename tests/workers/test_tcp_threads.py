"""Servers in threads: how many at a time, and what fails."""

import socket
from pathlib import Path

from conftest import Serve
from running import LIMIT

FAILS = """
def run(config):
    def handler(sock, address):
        if sock.recv(100) == b"fail":
            raise LookupError("the handler has a mistake")
        sock.sendall(b"ok")
    return handler
"""


def test_no_more_threads_than_there_may_be(serve: Serve) -> None:
    """Others wait in the kernel's queue."""
    server = serve("apps.servers.kinds:handlers", "-k", "tcp", "--worker-connections=1")
    with socket.create_connection(server.address, timeout=LIMIT) as first:
        first.sendall(b"one\n")

        assert b"one\n" == first.recv(100)

        second = socket.create_connection(server.address, timeout=LIMIT)
        second.sendall(b"two\n")
    with second:
        assert b"two\n" == second.recv(100)


def test_a_handler_that_fails_ends_its_connection(serve: Serve, tmp_path: Path) -> None:
    """And no other."""
    (tmp_path / "server-0").mkdir()
    (tmp_path / "server-0" / "fails.py").write_text(FAILS)
    server = serve("", "-s", "fails.py")
    server.expect("Traceback")
    for line, answer in ((b"fail", b""), (b"good", b"ok")):
        with socket.create_connection(server.address, timeout=LIMIT) as sock:
            sock.sendall(line)

            assert answer == sock.recv(100)
    server.wait_for_log("LookupError: the handler has a mistake")


def test_a_socketserver_has_one_address(serve: Serve) -> None:
    """More are refused, with the reason."""
    server = serve(
        "apps.servers.kinds:socketservers", "-k", "tcp", "--bind=127.0.0.1:0"
    )
    server.expect("Traceback")

    server.wait_for_log("a socketserver has one socket, and bind names 2")
