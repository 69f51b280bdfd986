"""The selector loop: who waits for whom."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
from drivers.loops import GET, LAST, echo_path, large, read_all, read_until, running
from protocol.wire import PARSERS, Case, some_or_all

from tiamat.drivers import evented
from tiamat.drivers.service import Timeouts
from tiamat.protocol.headers import Names
from tiamat.system.poller import PollPoller

pytestmark = pytest.mark.usefixtures("kind")


def count_body(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with the size of the body."""
    start_response("200 OK", [])
    return [b"%d" % len(environ["wsgi.input"].read())]


def test_a_request_is_answered_and_the_connection_kept() -> None:
    """
    Two requests on one connection get two responses.
    """
    with running(echo_path) as server, server.connect() as sock:
        sock.sendall(GET % b"one")
        first = read_until(sock, b"/one")
        sock.sendall(LAST % b"two")
        second = read_all(sock)

    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" in second
    assert second.endswith(b"/two")


def test_pipelined_requests_are_answered_in_order() -> None:
    """
    More requests than may wait, sent at once, get their answers in order.
    """
    paths = [b"%d" % number for number in range(20)]
    with running(echo_path) as server:
        answer = server.ask(b"".join(GET % path for path in paths) + LAST % b"end")

    found = [part.split(b"\r\n\r\n")[1] for part in answer.split(b"HTTP/1.1 200")[1:]]
    assert [b"/" + path for path in [*paths, b"end"]] == found


def test_what_breaks_the_protocol_is_answered_behind_good_requests() -> None:
    """
    A good request gets its answer; the broken one behind it gets 400.
    """
    with running(echo_path) as server:
        answer = server.ask(GET % b"good" + b"GET / HTTP/1.1\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"HTTP/1.1 400 Bad Request" in answer


def test_a_half_closed_client_gets_its_answer() -> None:
    """
    A client that closes its sending side behind the request is answered.
    """
    with running(echo_path) as server, server.connect() as sock:
        sock.sendall(GET % b"half")
        sock.shutdown(1)
        answer = read_all(sock)

    assert answer.endswith(b"/half")


def test_a_slow_reader_holds_nobody_up() -> None:
    """
    While one client does not read 20 MB, others are served; then it gets all.
    """
    with running(large) as server, server.connect() as slow:
        slow.sendall(LAST % b"large")
        others = [server.ask(LAST % b"other") for _ in range(5)]
        answer = read_all(slow)

    assert all(other.endswith(b"/other") for other in others)
    assert answer.count(b"x") == 20_000_000


def test_no_keepalive_closes_behind_each_response() -> None:
    """
    With keepalive 0 the response says so, and the connection closes.
    """
    with running(echo_path, Timeouts(keepalive=0)) as server:
        answer = server.ask(GET % b"once")

    assert b"Connection: close" in answer


def test_a_large_body_is_complete_before_the_application_runs() -> None:
    """
    A body beyond what memory takes reaches the application whole.
    """
    head = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 300000\r\n"
    with running(count_body) as server:
        answer = server.ask(head + b"Connection: close\r\n\r\n" + b"y" * 300000)

    assert answer.endswith(b"\r\n\r\n300000")


def test_a_client_that_waits_for_100_hears_it() -> None:
    """
    100 Continue comes when the head is accepted, before the body.
    """
    head = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n"
    with running(count_body) as server, server.connect() as sock:
        sock.sendall(head + b"Expect: 100-continue\r\nConnection: close\r\n\r\n")
        interim = read_until(sock, b"\r\n\r\n")
        sock.sendall(b"abc")
        answer = read_all(sock)

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.endswith(b"\r\n\r\n3")


def test_the_loop_runs_without_epoll(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where there is no epoll, poll does: keep-alive, a slow reader, an end.
    """
    monkeypatch.setattr(evented, "make_poller", PollPoller)
    with running(large) as server, server.connect() as slow:
        slow.sendall(LAST % b"large")
        with server.connect() as sock:
            sock.sendall(GET % b"one")
            first = read_until(sock, b"/one")
            sock.sendall(LAST % b"two")
            second = read_all(sock)
        answer = read_all(slow)

    assert (b"/one", b"/two") == (first[-4:], second[-4:])
    assert answer.count(b"x") == 20_000_000


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
def test_a_connection_yields_to_an_idle_worker() -> None:
    """
    While another worker is idle a response closes its connection; pipelined
    requests that are here already are answered first.
    """
    with running(echo_path) as server:
        server.loop.always_keeps = False
        server.loop._others_idle = lambda: True
        alone = server.ask(GET % b"one")
        behind = server.ask(GET % b"one" + GET % b"two")
        server.loop._others_idle = lambda: False
        with server.connect() as sock:
            sock.sendall(GET % b"one")
            kept = read_until(sock, b"/one")

    closes = [answer.count(b"Connection: close") for answer in (alone, behind, kept)]
    assert [1, 1, 0] == closes
    assert behind.endswith(b"/two")


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("cases", some_or_all())
def test_the_wire_corpus_gets_its_verdicts_on_a_socket(
    cases: Callable[[], list[Case]], parser: str
) -> None:
    """
    As many answers as there are whole requests, then the status of the refusal.
    """
    for case in cases():
        verdict = case.run(parser, [case.wire])
        wanted = [b"200"] * sum(request.complete for request in verdict.requests)
        if verdict.status:
            wanted.append(b"%d" % verdict.status)
        with (
            running(
                echo_path,
                limits=case.limits,
                parser=PARSERS[parser],
                names=Names(case.header_map),
            ) as server,
            server.connect() as sock,
        ):
            sock.sendall(case.wire)
            sock.shutdown(socket.SHUT_WR)
            parts = read_all(sock).split(b"HTTP/1.1 ")[1:]
        statuses = [part[:3] for part in parts if part[:3] != b"100"]

        assert wanted == statuses[: len(wanted)], case.name
