"""What the kernel holds of a connection."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from running import wait_until

from tiamat.system.queues import readable, unsent


@contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection over TCP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        with client, server:
            yield client, server


def test_something_to_read_is_seen() -> None:
    """Bytes, and the end of them."""
    with connected() as (client, server):
        assert not readable(server.fileno())
        client.sendall(b"x")
        wait_until(lambda: readable(server.fileno()), "readable")
        server.recv(1)
        assert not readable(server.fileno())
        client.close()
        wait_until(lambda: readable(server.fileno()), "readable")


def test_what_a_peer_has_not_taken_is_counted_and_becomes_less() -> None:
    """Also where the socket takes nothing more: progress of a slow reader."""
    with connected() as (client, server):
        assert 0 == unsent(server.fileno())
        server.setblocking(False)
        sent = 0
        while True:
            try:
                sent += server.send(bytes(65536))
            except BlockingIOError:
                break
        before = unsent(server.fileno())
        assert 0 < before <= sent
        client.settimeout(45)
        taken = 0
        while unsent(server.fileno()) >= before:
            taken += len(client.recv(65536))
        assert taken < sent


def test_a_closed_socket_holds_nothing() -> None:
    """As its transport says it: there is no descriptor any more."""
    assert not readable(-1)
    assert 0 == unsent(-1)
