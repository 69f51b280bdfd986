"""The selector loop: who waits for whom."""

from typing import Any

from drivers.loops import read_all, read_until, running

from tiamat.drivers.service import Timeouts

GET = b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n"
LAST = b"GET /%s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


def echo_path(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with the path."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode("latin-1")]


def large(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with 20 MB, or with the path."""
    if environ["PATH_INFO"] != "/large":
        return echo_path(environ, start_response)
    start_response("200 OK", [])
    return [b"x" * 20_000_000]


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


def test_a_slow_sender_of_a_head_gets_408() -> None:
    """
    A head that stays incomplete for the header timeout is answered with 408.
    """
    with running(echo_path, Timeouts(header=0.2)) as server:
        answer = server.ask(b"GET / HTTP/1.1\r\nHost: te")

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_silent_connection_is_closed() -> None:
    """
    Who sends nothing at all is closed after the header timeout, without a word.
    """
    with running(echo_path, Timeouts(header=0.2)) as server:
        answer = server.ask(b"")

    assert answer == b""


def test_an_idle_connection_is_closed_after_keepalive() -> None:
    """
    Behind a response an idle connection is closed after the keepalive timeout.
    """
    with running(echo_path, Timeouts(keepalive=0.2)) as server:
        answer = server.ask(GET % b"once")

    assert answer.endswith(b"/once")


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
