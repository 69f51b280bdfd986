"""Many connections of one peer, with every class of workers."""

import socket

import pytest
from conftest import Serve
from kinds import KINDS
from running import LIMIT, Server, wait_until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def connect(server: Server) -> socket.socket:
    """A connection to it."""
    return socket.create_connection(server.address, timeout=LIMIT)


def is_served(server: Server) -> bool:
    """Whether a connection of its own gets an answer."""
    with connect(server) as sock:
        try:
            sock.sendall(GET)
            return sock.recv(65536).startswith(b"HTTP/1.1 200")
        except ConnectionError:  # it is closed before it has said anything
            return False


@pytest.mark.parametrize("kind", KINDS)
def test_one_too_many_is_closed_at_once(serve: Serve, kind: str) -> None:
    """``limit_connections_per_ip``: who closes makes room, and the log says whose."""
    app, *flags = KINDS[kind]
    server = serve(
        f"apps.patient:{app}", *flags, "--limit-connections-per-ip=2", "--keep-alive=60"
    )
    with connect(server) as first, connect(server) as second:
        for sock in (first, second):
            sock.sendall(GET)
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        assert not is_served(server)
        server.wait_for_log(r"_per_ip=2: 1 closed at once, this one of 127\.0\.0\.1")
        first.close()
        wait_until(lambda: is_served(server), "there is room again")
