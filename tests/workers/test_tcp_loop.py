"""Servers of asyncio: TLS, recycling, messages, and an end that nobody wanted."""

import socket
from pathlib import Path

import pytest
from authority import make_authority
from conftest import Serve
from running import LIMIT

ENDS = """
class Server:
    async def serve(self, sockets):
        raise LookupError("nothing to serve")

def run(config):
    return Server()
"""

FAILS = """
async def handler(reader, writer):
    raise LookupError("for a line")

def run(config):
    return handler
"""

STOPS = """
import asyncio

async def run(config):
    wanted = asyncio.Event()
    config.on_stop(wanted.set)

    async def handler(reader, writer):
        writer.write(b"hello\\n")
        await wanted.wait()
        writer.write(b"we close\\n")
        writer.close()

    return handler
"""


def test_a_server_that_ends_by_itself_is_replaced(serve: Serve, tmp_path: Path) -> None:
    """With its reason in the log."""
    (tmp_path / "server-0").mkdir()
    (tmp_path / "server-0" / "ends.py").write_text(ENDS)
    server = serve("", "--script=ends.py")
    server.expect("Traceback")
    server.wait_for_log(r"serve\(\) has ended")
    server.wait_for_log("LookupError: nothing to serve")
    server.wait_for_log("serves", 2)


def test_clients_can_be_told_of_the_end(serve: Serve, tmp_path: Path) -> None:
    """So nobody is cut off who would stay."""
    (tmp_path / "server-0").mkdir()
    (tmp_path / "server-0" / "stops.py").write_text(STOPS)
    server = serve("", "--script=stops.py")
    with (
        socket.create_connection(server.address, timeout=LIMIT) as sock,
        sock.makefile("rb") as stream,
    ):
        assert b"hello\n" == stream.readline()

        server.signal(15)

        assert b"we close\n" == stream.readline()
        assert b"" == stream.readline()

    assert 0 == server.wait_for_exit()
    assert "cut off" not in server.log


def test_every_kind_may_have_tls(serve: Serve, tmp_path: Path) -> None:
    """By the settings alone; what speaks none is closed."""
    authority = make_authority(tmp_path)
    cert = authority.issue("localhost")
    for kind in ("streams", "handlers", "socketservers"):
        server = serve(f"apps.servers.kinds:{kind}", "-k", "tcp", f"--certfile={cert}")
        with socket.create_connection(server.address, timeout=LIMIT) as plain:
            plain.sendall(b"plain text\n" * 10)
            context = authority.client()
            raw = socket.create_connection(server.address, timeout=LIMIT)
            with context.wrap_socket(raw, server_hostname="localhost") as sock:
                sock.sendall(b"secret\n")

                assert b"secret\n" == sock.recv(100)


@pytest.mark.parametrize("kind", ["streams", "handlers"])
def test_an_address_may_stay_without_tls(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    """Beside one that has it."""
    cert = make_authority(tmp_path).issue("localhost")
    server = serve(
        *(f"apps.servers.kinds:{kind}", "-k", "tcp", f"--certfile={cert}"),
        "--bind=plain=plain://127.0.0.1:0",
    )
    port = int(server.wait_for_log(r"tcp://127.0.0.1:(\d+) \(plain\)")[1])
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as sock:
        sock.sendall(b"one\n")

        assert b"one\n" == sock.recv(100)


def test_what_a_handler_does_not_catch_is_in_the_log(
    serve: Serve, tmp_path: Path
) -> None:
    """In the file of errors, as of every other kind of server."""
    (tmp_path / "server-0").mkdir()
    (tmp_path / "server-0" / "fails.py").write_text(FAILS)
    server = serve("fails:run", "-k", "tcp")
    server.expect("LookupError: for a line")
    server.expect("Traceback")
    with socket.create_connection(server.address, timeout=LIMIT) as sock:
        sock.sendall(b"one\n")
        server.wait_for_log("LookupError: for a line")


def test_workers_are_recycled_by_connections(serve: Serve) -> None:
    """As those of HTTP by requests."""
    server = serve("apps.servers.kinds:streams", "-k", "tcp", "--max-requests=2")
    for _ in range(2):
        with socket.create_connection(server.address, timeout=LIMIT) as sock:
            sock.sendall(b"one\n")

            assert b"one\n" == sock.recv(100)
    server.wait_for_log("retires: max_requests")
