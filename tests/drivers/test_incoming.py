"""A body that comes while the application reads it, or doesn't."""

import threading
from typing import Any

import pytest
from drivers.loops import (
    GET,
    PLAIN,
    POST,
    drip,
    echo,
    only,
    read_all,
    read_until,
    running,
    statuses,
)
from protocol.wire import PARSERS
from running import wait_until

from tiamat.drivers.service import Timeouts
from tiamat.gateways.wsgi_input import BodyError, ClientDisconnected
from tiamat.protocol.limits import Limits

pytestmark = only("greens")


def deaf(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answers without a look at the body."""
    start_response("200 OK", PLAIN)
    return [b"deaf."]


def test_a_body_is_read_while_it_comes() -> None:
    """
    The application has its first line before the client sends the second.
    """
    lines = threading.Semaphore(0)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        first = environ["wsgi.input"].readline()
        lines.release()
        start_response("200 OK", PLAIN)
        return [first + environ["wsgi.input"].read() + b"."]

    with running(app) as server, server.connect() as sock:
        sock.sendall(POST % (8, b"") + b"one\n")

        assert lines.acquire(timeout=20)
        sock.sendall(b"two\n")
        assert read_until(sock, b".").endswith(b"one\ntwo\n.")


@pytest.mark.parametrize("reads", [True, False])
def test_what_is_wrong_behind_a_body_is_not_its_fault(reads: bool) -> None:
    """
    The request is answered, and then the next one refused, though they come in one.
    """
    called = threading.Semaphore(0)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        called.release()
        body = environ["wsgi.input"].read() if reads else b""
        start_response("200 OK", PLAIN)
        return [body + b"."]

    with running(app) as server, server.connect() as sock:
        sock.sendall(POST % (4, b""))

        assert called.acquire(timeout=20)
        sock.sendall(b"hello: GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert [200, 400] == statuses(read_all(sock))


@pytest.mark.parametrize("parser", PARSERS)
def test_the_first_read_asks_for_the_body(parser: str) -> None:
    """
    100 Continue is sent when the application reads; the connection goes on.
    """
    with running(echo, parser=PARSERS[parser]) as server, server.connect() as sock:
        sock.sendall(POST % (2, b"Expect: 100-continue\r\n"))
        interim = read_until(sock, b"\r\n\r\n")
        sock.sendall(b"ab")
        answer = read_until(sock, b"/ab.")
        sock.sendall(GET % b"next")

        assert b"HTTP/1.1 100 Continue\r\n\r\n" == interim
        assert b"Connection: close" not in answer
        assert [200] == statuses(read_until(sock, b"/next."))


def test_who_does_not_read_asks_for_no_body() -> None:
    """
    No 100: the answer says that the connection closes, since the body may come.
    """
    with running(deaf) as server:
        answer = server.ask(POST % (2, b"Expect: 100-continue\r\n"))

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"Connection: close" in answer


def test_a_body_that_nobody_reads_is_skipped() -> None:
    """
    The next request on the connection begins behind it.
    """
    with running(deaf) as server, server.connect() as sock:
        sock.sendall(POST % (100_000, b"") + b"x" * 50_000)
        read_until(sock, b"deaf.")
        sock.sendall(b"x" * 50_000 + GET % b"")

        assert [200] == statuses(read_until(sock, b"deaf."))


def test_a_large_body_that_nobody_reads_costs_the_connection() -> None:
    """
    The answer arrives all the same: no reset overtakes it.
    """
    with running(deaf) as server, server.connect() as sock:
        sock.sendall(POST % (10_000_000, b"") + b"x" * 100_000)

        assert read_all(sock).endswith(b"deaf.")


def test_a_body_beyond_its_limit_is_refused() -> None:
    """
    413 for chunks that come to more, as the application reads them.
    """
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    limits = Limits(request_body=5)
    with running(echo, limits=limits) as server, server.connect() as sock:
        sock.sendall(head)
        sock.sendall(b"4\r\nabcd\r\n4\r\nabcd\r\n")
        answer = read_all(sock)

    assert [413] == statuses(answer)
    assert b"Connection: close" in answer


def test_an_application_hears_that_its_client_has_gone() -> None:
    """
    Reading raises an OSError that says so.
    """
    errors: list[BaseException] = []
    heard = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except BodyError as error:
            errors.append(error)
            heard.set()
            raise
        return []

    with running(app) as server:
        with server.connect() as sock:
            sock.sendall(POST % (8, b"") + b"one\n")
        assert heard.wait(20)

    assert isinstance(errors[0], ClientDisconnected)


def test_a_body_that_drips_is_waited_for_no_longer() -> None:
    """
    The application that reads it hears so; its client gets 408.
    """
    timeouts = Timeouts(body_rate=1000, body_grace=0.2)
    with running(echo, timeouts) as server, server.connect() as sock:
        sock.sendall(POST % (1000, b""))
        answer = drip(sock)

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_the_time_between_two_reads_is_not_the_clients() -> None:
    """
    An application may think for as long as it likes: only its waiting counts.
    """
    late: list[float] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"]
        first = body.readline()
        (connection,) = server.loop.busy()  # type: ignore[attr-defined]
        connection.read_at -= 1000.0  # so long ago
        second = body.readline()
        late.append(connection.body_at - connection.began)
        start_response("200 OK", PLAIN)
        return [first + second + b"."]

    with running(app) as server, server.connect() as sock:
        sock.sendall(POST % (8, b"") + b"one\n")
        wait_until(lambda: server.loop.busy(), "it is read")  # type: ignore[attr-defined]
        sock.sendall(b"two\n")
        answer = read_until(sock, b".")

    assert (True, b"one\ntwo\n.") == (late[0] > 900, answer[-9:])
