"""Connections whose application waits itself: bodies, readers, the end."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
from drivers.loops import (
    GET,
    PLAIN,
    POST,
    echo,
    only,
    read_all,
    read_until,
    running,
    send_file,
    statuses,
)
from protocol.wire import PARSERS, Case, some_or_all
from running import wait_until

from tiamat.drivers.service import Timeouts
from tiamat.protocol.headers import Names

pytestmark = only("greens")

LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def test_requests_of_a_connection_are_answered_in_order() -> None:
    """
    One after the other, and several that came at once.
    """
    with running(echo) as server, server.connect() as sock:
        sock.sendall(GET % b"1")
        first = read_until(sock, b"/1.")
        sock.sendall(GET % b"2" + GET % b"3")
        second = read_until(sock, b"/3.")

    assert [200] == statuses(first)
    assert [200, 200] == statuses(second)
    assert second.index(b"/2.") < second.index(b"/3.")


def test_a_response_reaches_who_has_ended_his_side() -> None:
    """
    Half-closed is not gone.
    """
    with running(echo) as server, server.connect() as sock:
        sock.sendall(GET % b"1")
        sock.shutdown(socket.SHUT_WR)

        assert read_all(sock).endswith(b"/1.")


@pytest.mark.parametrize(
    ("sent", "timeouts"),
    [
        (b"GET / HT", Timeouts(header=0.1)),
        (POST % (8, b"") + b"abc", Timeouts(body=0.1)),
    ],
    ids=["head", "body"],
)
def test_who_sends_too_slowly_hears_408(sent: bytes, timeouts: Timeouts) -> None:
    """
    Of a head or of a body that stalls.
    """
    with running(echo, timeouts=timeouts) as server:
        assert [408] == statuses(server.ask(sent))


@pytest.mark.parametrize("sent", [b"", GET % b""], ids=["new", "kept alive"])
def test_who_says_nothing_is_closed(sent: bytes) -> None:
    """
    Without a word, at first or behind a response.
    """
    timeouts = Timeouts(header=0.1, keepalive=0.1)
    with running(echo, timeouts=timeouts) as server:
        assert [408] != statuses(server.ask(sent))


def test_a_reader_that_takes_nothing_is_given_up() -> None:
    """
    The greenlet that writes to it is free again.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        return [b"x" * 50_000_000]

    timeouts = Timeouts(write=0.2)
    with running(app, timeouts=timeouts) as server, server.connect() as sock:
        sock.sendall(GET % b"")
        sock.recv(1)
        wait_until(
            lambda: server.loop.handled and not server.loop.connections, "it is over"
        )

    assert 1 == server.loop.handled


def test_what_follows_a_response_is_told() -> None:
    """
    Who wants to know gets request, response and seconds, also of what was refused.
    """
    told: list[Any] = []

    def finished(*args: Any) -> None:
        told.append(args)

    with running(echo, finished=finished) as server:
        server.ask(GET % b"1" + b"nonsense\r\n\r\n")

    assert [200, 400] == [args[1].status for args in told]
    assert ["GET", None] == [args[0] and args[0].method for args in told]


# --- What it writes -----------------------------------------------------------------


def test_a_slow_reader_gets_all() -> None:
    """
    Far more than the kernel holds, in one piece and in many.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        return [b"a" * 3_000_000, b"b" * 10, b"c" * 3_000_000]

    with running(app) as server:
        answer = server.ask(LAST)

    assert 3_000_000 == answer.count(b"a" * 1000) * 1000
    assert answer.endswith(b"c" * 1000 + b"\r\n0\r\n\r\n")


def test_a_reader_holds_up_nobody_else() -> None:
    """
    Who reads nothing costs a greenlet; others are served.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        return [b"x" * (50_000_000 if environ["PATH_INFO"] == "/large" else 1) + b"."]

    with running(app) as server, server.connect() as deaf:
        deaf.sendall(GET % b"large")
        deaf.recv(1)

        assert server.ask(LAST).endswith(b"x.")


def test_a_file_is_sent_by_the_kernel() -> None:
    """
    Whole, behind its head, also to who reads slowly.
    """
    with running(send_file) as server:
        server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)

        assert server.ask(LAST).endswith(b"\r\n\r\n" + b"f" * 1_000_000)


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
    with running(app) as server, server.connect() as sock:
        sock.sendall(upgrade)
        first = sock.recv(15)
        sock.sendall(b"and hears")

        assert b"what it likes, and hears" == first + read_all(sock)


# --- The wire corpus ---------------------------------------------------------------


class Ear:
    """An application that notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read().decode("latin-1")
        self.heard.append((environ["REQUEST_METHOD"], environ["RAW_URI"], body))
        start_response("200 OK", PLAIN)
        return [b"heard"]


def put(case: Case, parser: str, piece: int) -> tuple[Ear, bytes]:
    """Send the bytes of *case*, so many at a time; what was heard and answered."""
    ear = Ear()
    with (
        running(
            ear,
            Timeouts(keepalive=20.0),
            case.limits,
            PARSERS[parser],
            Names(case.header_map),
        ) as server,
        server.connect() as sock,
    ):
        try:
            for start in range(0, len(case.wire), piece):
                sock.sendall(case.wire[start : start + piece])
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has refused already
        try:
            answer = read_all(sock)
        except ConnectionResetError:
            answer = b""
    return ear, answer


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("cases", some_or_all())
def test_the_corpus_through_a_connection(
    cases: Callable[[], list[Case]], parser: str
) -> None:
    """
    The application hears the requests, and the client the status, of the case.
    """
    for case in cases():
        verdict = case.run(parser, [case.wire])
        whole = [seen for seen in verdict.requests if seen.complete]
        expected = [200] * len(whole)
        if verdict.status:
            expected.append(verdict.status)
        elif len(whole) < len(verdict.requests):
            expected.append(400)  # half a body, and then the end
        for piece in (len(case.wire), 7):
            ear, answer = put(case, parser, piece)

            heard = [(s.method, s.target, s.body) for s in whole]
            assert heard == ear.heard, case.name
            assert expected == statuses(answer), case.name
