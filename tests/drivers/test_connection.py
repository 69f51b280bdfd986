"""One connection: what it does with what the protocol and the gateway say."""

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from drivers.loops import (
    BUFFERED,
    LAST,
    POST,
    drip,
    echo,
    read_all,
    read_until,
    running,
    send_file,
)
from running import wait_until

from tiamat.drivers.evented import READ_SIZE
from tiamat.drivers.service import Timeouts
from tiamat.drivers.transport import BODY
from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.limits import Limits

pytestmark = pytest.mark.usefixtures("kind")


def never(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Is not to be reached."""
    raise AssertionError


def test_a_refusal_reaches_a_client_that_still_sends() -> None:
    """
    413 arrives although the body that it refuses is still on its way.
    """
    head = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5000000\r\n\r\n"
    with (
        running(never, limits=Limits(request_body=1000)) as server,
        server.connect() as sock,
    ):
        sock.sendall(head)
        sock.sendall(b"x" * 100_000)
        answer = read_all(sock)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_nothing_stays_open_behind_a_client_that_goes() -> None:
    """
    A client that resets its connection leaves no connection behind.
    """
    with running(send_file) as server:
        for _ in range(5):
            with server.connect() as sock:
                sock.sendall(LAST % b"file")
                sock.recv(1)
        wait_until(lambda: not server.loop.connections, "all connections are closed")


def test_a_body_is_whole_however_requests_before_it_are_timed() -> None:
    """
    A request whose body still comes is never served, not even when bytes of it
    arrive while requests before it wait for their turn.
    """
    sizes: list[int] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        sizes.append(len(environ["wsgi.input"].read()))
        if environ["PATH_INFO"] == "/first":
            sock.sendall(b"b" * 10)  # lies in the kernel when the second is ready
        start_response("200 OK", [])
        return [b"x"]

    get = b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n"
    post = (
        b"POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
        b"Content-Length: 21\r\n\r\nb"
    )
    with running(app) as server, server.connect() as sock:
        sock.sendall(get % b"first" + get % b"second" + post)
        wait_until(lambda: sizes[:2] == [0, 0], "the first two are answered")
        sock.sendall(b"b" * 10)
        answer = read_all(sock)

    assert (3, [0, 0, 21]) == (answer.count(b"HTTP/1.1 200 "), sizes)


def count(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Say how large the body was."""
    size = len(environ["wsgi.input"].read())
    start_response("200 OK", [])
    return [b"%d bytes" % size]


@BUFFERED
def test_a_body_without_room_on_the_disk_is_refused_and_nobody_else(
    tmp_path: Path,
) -> None:
    """
    A body that can't be spooled gets 503; other connections never notice.
    """
    with running(count) as server, server.connect() as other:
        server.loop.service.spool_directory = str(tmp_path / "missing")
        head = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 500000\r\n\r\n"
        refused = server.ask(head + b"x" * 500_000)
        other.sendall(LAST % b"")
        served = read_all(other)

    assert (b"503", b"200") == (refused.split()[1], served.split()[1])


def test_a_flood_of_requests_waits_in_the_kernel() -> None:
    """
    However many requests a client sends at once, we hold little of them.
    """
    held: list[int] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        held.extend(
            len(connection.http._held)
            for connection in server.loop._connections.values()
        )
        start_response("200 OK", [])
        return [b"x"]

    request = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
    with running(app) as server, server.connect() as sock:
        reader = threading.Thread(target=read_all, args=(sock,))
        reader.start()
        sock.sendall(request * 20_000 + LAST % b"")
        reader.join(60)

    assert (20_001, True) == (len(held), max(held) <= 2 * READ_SIZE)


def test_a_process_that_the_application_forks_holds_no_client() -> None:
    """
    The client sees the end of its response although a child lives on.
    """
    ends, ours = os.pipe()
    children: list[int] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        child = os.fork()
        if not child:
            os.close(ours)
            os.read(ends, 1)
            os._exit(0)
        children.append(child)
        start_response("200 OK", [])
        return [b"x"]

    with running(app) as server:
        answer = server.ask(LAST % b"")
    os.close(ours)
    os.close(ends)
    os.waitpid(children[0], 0)

    assert answer.startswith(b"HTTP/1.1 200 ")


def fail(*_: object) -> None:
    """Be wrong."""
    raise RuntimeError("expected by the test")


def test_a_mistake_of_ours_ends_one_connection() -> None:
    """
    An exception that nobody expects costs its connection, not the worker.
    """
    with running(count) as server, server.connect() as other:
        handle = server.change("handle", fail)
        failed = server.ask(LAST % b"")
        server.change("handle", handle)
        other.sendall(LAST % b"")
        served = read_all(other)

    assert b"" == failed
    assert served.startswith(b"HTTP/1.1 200 ")


def test_a_request_that_can_not_be_logged_is_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    A logger, or what a hook sees, may fail: behind an answer, a refusal, and
    when a client goes that has not taken its answer.
    """
    with running(send_file) as server:
        server.loop.service.finished = fail
        server.change("reports", True)
        answered = server.ask(LAST % b"")
        refused = server.ask(b"GET / HTTP/1.1\r\n\r\n")
        with server.connect() as sock:
            sock.sendall(LAST % b"")
            wait_until(lambda: server.handled == 2, "it is answered")
        wait_until(lambda: not server.loop.connections, "the connection is closed")

    assert (b"200", b"400") == (answered.split()[1], refused.split()[1])
    assert 3 == caplog.text.count("can't log a request")


def test_what_was_no_request_is_reported_too() -> None:
    """
    The access log has a line for each refusal, with its status and size.
    """
    reported: list[tuple[int, int]] = []

    def note(request: object, response: Any, *_: object) -> None:
        reported.append((response.status, response.sent))

    with running(never) as server:
        server.loop.service.finished = note
        server.change("reports", True)
        answer = server.ask(b"GET / HTTP/1.1\r\n\r\n")

    assert [(400, len(answer.partition(b"\r\n\r\n")[2]))] == reported


@BUFFERED
def test_a_body_that_nobody_will_read_leaves_no_file() -> None:
    """
    A request that is refused with its body already spooled gives the file back.
    """
    files: list[Any] = []

    def refuse(request: Any, *_: object) -> None:
        files.append(request.body.file)
        raise ProtocolError("two fields of a proxy contradict each other")

    with running(never) as server:
        server.change("environ", refuse)
        head = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 200000\r\n\r\n"
        answer = server.ask(head + b"x" * 200_000)

    assert (b"400", [True]) == (answer.split()[1], [file.closed for file in files])


@BUFFERED
def test_a_body_that_stalls_gets_408() -> None:
    """
    A body of which no byte comes for the body timeout is waited for no longer.
    """
    with running(never, Timeouts(body=0.2)) as server:
        head = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n"
        answer = server.ask(head + b"x")

    assert answer.startswith(b"HTTP/1.1 408 ")


@BUFFERED
def test_a_body_that_drips_gets_408() -> None:
    """
    It does not stall, but comes too slowly on the average.
    """
    timeouts = Timeouts(body_rate=1000, body_grace=0.2)
    with running(never, timeouts) as server, server.connect() as sock:
        sock.sendall(POST % (1000, b""))
        answer = drip(sock)

    assert answer.startswith(b"HTTP/1.1 408 ")


@BUFFERED
def test_who_sends_a_body_is_excused_while_we_were_away() -> None:
    """
    What an application took from all of them counts against none.
    """
    with running(echo) as server, server.connect() as sock:
        sock.sendall(POST % (4, b"") + b"a")
        wait_until(lambda: any(c.wait is BODY for c in server.loop.ours()), "it waits")
        (connection,) = server.loop.ours()
        before = connection.deadline
        connection.excuse(1000.0)
        after = connection.deadline
        sock.sendall(b"bc")
        wait_until(lambda: connection.http.requests[0].body_size == 3, "it is read")
        allowed = connection.body_at + 10.0 - server.loop.now
        sock.sendall(b"d")
        answer = read_until(sock, b".")

    assert (1000, b"abcd.") == (round(after - before), answer[-5:])
    assert allowed > 900


def test_what_came_behind_an_upgrade_goes_with_the_connection() -> None:
    """
    An application that takes the connection reads it first, byte by byte if it likes.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        sock = environ["gunicorn.socket"]
        buffer = bytearray(2)
        peeked = sock.recv(100, socket.MSG_PEEK)
        sock.recv_into(buffer)
        parts = [peeked, bytes(buffer), sock.recv(2), sock.recv(100)]
        sock.sendall(b"|".join(parts) + b"|")
        sock.sendall(sock.recv(100))
        return []

    head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    with running(app) as server, server.connect() as sock:
        sock.sendall(head + b"\x81early")
        early = read_until(sock, b"ly|")
        sock.sendall(b"later")
        later = read_all(sock)

    assert (b"\x81early|\x81e|ar|ly|", b"later") == (early, later)


def test_who_takes_no_upgrade_goes_on_in_http() -> None:
    """
    The request behind it is answered behind it.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    head = b"GET /one HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    last = b"GET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with running(app) as server:
        answer = server.ask(head + last)

    assert answer.endswith(b"/two")
    assert 2 == answer.count(b"HTTP/1.1 200 OK")
