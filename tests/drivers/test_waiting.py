"""What an application writes to whom reads slowly, or no more."""

import socket
import tempfile
import threading
from typing import Any

from drivers.hosts import hosting, make_host
from drivers.loops import read_all, send_file

from tiamat.drivers.blocking import BlockingConnection

PLAIN = [("Content-Type", "text/plain")]
GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def test_a_slow_reader_gets_all() -> None:
    """
    Far more than the kernel holds, in one piece and in many.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        return [b"a" * 3_000_000, b"b" * 10, b"c" * 3_000_000]

    with hosting(app) as server:
        answer = server.ask(GET)

    assert 3_000_000 == answer.count(b"a" * 1000) * 1000
    assert answer.endswith(b"c" * 1000 + b"\r\n0\r\n\r\n")


def test_a_file_is_sent_by_the_kernel() -> None:
    """
    Whole, behind its head.
    """
    with hosting(send_file) as server:
        assert server.ask(GET).endswith(b"\r\n\r\n" + b"f" * 1_000_000)


def test_a_socket_that_does_not_block_is_waited_for() -> None:
    """
    sendfile asks the system; that the socket can wait by itself helps nobody there.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
    file.write(b"f" * 3_000_000)
    file.flush()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    connection = BlockingConnection(make_host(None), ours, ("", ""), {})
    write = threading.Thread(
        target=connection.write_file, args=(file.fileno(), 0, 3_000_000)
    )
    with file, theirs:
        write.start()
        received = 0
        while received < 3_000_000:
            received += len(theirs.recv(65536))
        write.join(20)
        ours.close()

    assert not connection.broken


def test_nothing_is_written_to_whom_has_gone() -> None:
    """
    The first failure is noted, and what follows is not tried.
    """
    ours, theirs = socket.socketpair()
    theirs.close()
    connection = BlockingConnection(make_host(None), ours, ("", ""), {})
    with ours:
        connection.write(b"a")
        connection.write(b"b", b"c")

    assert connection.broken


def test_who_writes_to_a_deaf_reader_can_be_freed() -> None:
    """
    Expiring ends the wait of another thread.
    """
    ours, theirs = socket.socketpair()
    connection = BlockingConnection(make_host(None), ours, ("", ""), {})
    write = threading.Thread(target=connection.write, args=(b"x" * 50_000_000,))
    with ours, theirs:
        write.start()
        theirs.recv(1)
        connection.expire()
        write.join(20)

        assert not write.is_alive()
        assert connection.broken
        assert len(read_all(theirs)) < 50_000_000


def test_an_application_may_take_the_connection() -> None:
    """
    It speaks alone from then on, and the connection closes behind it.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        sock = environ["gunicorn.socket"]
        sock.sendall(b"what it likes, ")
        sock.sendall(sock.recv(100))
        return []

    upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    with hosting(app) as server, server.connect() as sock:
        sock.sendall(upgrade)
        first = sock.recv(15)
        sock.sendall(b"and hears")

        assert b"what it likes, and hears" == first + read_all(sock)
