"""Closing the door of a listener's queue."""

import errno
import select
import socket
import sys
import time
from pathlib import Path

import pytest

from tiamat.system.backlog import length, refuse_new, waited

linux = pytest.mark.skipif(
    sys.platform != "linux", reason="packet filters on listeners are Linux's"
)

FAMILIES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


def late_client(address: tuple[str, int]) -> socket.socket:
    """A client whose connection is on its way."""
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(address)
    return client


@linux
def test_who_waits_is_served_and_who_comes_late_is_refused() -> None:
    """
    The queue only gets shorter; nobody's connection is reset.

    The late client's second try, after a second, finds nobody.
    """
    server = socket.create_server(("127.0.0.1", 0))
    server.setblocking(False)
    early = socket.create_connection(server.getsockname())
    select.select([server], [], [], 30)

    assert refuse_new(server)

    early.sendall(b"hello")
    with early, late_client(server.getsockname()) as late:
        connection, _ = server.accept()
        with connection:
            connection.settimeout(30)

            assert connection.recv(10) == b"hello"
        with pytest.raises(BlockingIOError):
            server.accept()
        server.close()
        select.select([], [late], [], 30)
        error = late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

        assert error == errno.ECONNREFUSED
        assert early.recv(10) == b""


@linux
def test_connections_that_are_accepted_go_on() -> None:
    """The filter is the listener's, not theirs."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        connection, _ = server.accept()
        with connection:
            refuse_new(server)
            client.sendall(b"hello")

            assert connection.recv(10) == b"hello"


def test_a_unix_socket_stays_open(tmp_path: Path) -> None:
    """It is told that the queue can't be closed, and clients still get in."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "x.sock"))
        server.listen()

        assert not refuse_new(server)

        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "x.sock"))
            connection, _ = server.accept()
            connection.close()


@linux
def test_the_length_of_a_queue_is_known() -> None:
    """Of TCP; nobody tells how many wait at a Unix socket."""
    server = socket.create_server(("127.0.0.1", 0))
    before = length(server)
    with server, socket.create_connection(server.getsockname()):
        select.select([server], [], [], 30)

        assert (0, 1) == (before, length(server))

    with socket.socket(socket.AF_UNIX) as unix:
        assert length(unix) is None
        assert 0.0 == waited(unix)


@linux
def test_how_long_a_connection_has_waited_is_known() -> None:
    """Since its last byte, by the kernel's clock."""
    server = socket.create_server(("127.0.0.1", 0))
    began = time.monotonic()
    with server, socket.create_connection(server.getsockname()) as client:
        client.sendall(b"hello")
        accepted, _ = server.accept()
        with accepted:
            while (seconds := waited(accepted)) < 0.05:
                pass

    assert seconds <= time.monotonic() - began + 0.1


@linux
@pytest.mark.parametrize(("family", "host"), FAMILIES)
def test_a_handshake_that_has_begun_is_completed(
    family: socket.AddressFamily, host: str
) -> None:
    """
    Its last ACK gets through the filter, and so does what comes behind it.

    TCP_DEFER_ACCEPT keeps a handshake open until there is data.
    """
    with socket.create_server((host, 0), family=family) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)
        with socket.create_connection(server.getsockname()[:2]) as client:
            assert refuse_new(server)

            client.sendall(b"hello")
            server.settimeout(30)
            connection, _ = server.accept()
            with connection:
                connection.settimeout(30)
                client.sendall(b" and more")
                client.shutdown(socket.SHUT_WR)

                assert b"hello and more" == connection.makefile("rb").read()
