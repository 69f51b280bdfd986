"""PEP 3333: what applications may do, and what becomes of it."""

from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import pytest
from gateways.answers import PLAIN, Answer, Wire


def test_the_validator_of_the_standard_library_is_content() -> None:
    """
    wsgiref.validate finds nothing to complain about, with and without a body.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        data = environ["wsgi.input"].read(2) + environ["wsgi.input"].readline()
        start_response("200 OK", PLAIN)
        return [data]

    post = b"POST /x?y=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd"
    answer = Answer(validator(app), post)

    assert answer.lines[0] == b"HTTP/1.1 200 OK"
    assert b"4\r\nabcd\r\n0\r\n\r\n" == answer.body


def test_one_chunk_gets_a_content_length() -> None:
    """
    A list of one chunk is sent with its length, head and body at once.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        return [b"hello"]

    answer = Answer(app)

    assert b"Content-Length: 5" in answer.lines
    assert b"hello" == answer.body


def test_a_generator_may_call_start_response_late() -> None:
    """
    The head waits for the first chunk, and the body is chunked.
    """

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("201 Created", PLAIN)
        yield b""
        yield b"ab"
        yield b"c"

    answer = Answer(app)

    assert answer.lines[0] == b"HTTP/1.1 201 Created"
    assert b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n" == answer.body


def test_write_sends_at_once() -> None:
    """
    What start_response returns sends its bytes before those of the iterable.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [*PLAIN, ("Content-Length", "4")])
        write(b"ab")
        return [b"cd"]

    assert b"abcd" == Answer(app).body


def test_close_is_always_called() -> None:
    """
    The iterable is closed when it ends and when it fails.
    """
    closed = []

    class Body:
        def __init__(self, *, fail: bool) -> None:
            self.fail = fail

        def __iter__(self) -> Iterator[bytes]:
            yield b"a"
            if self.fail:
                raise RuntimeError

        def close(self) -> None:
            closed.append(self.fail)

    def app(environ: dict[str, Any], start_response: Any) -> Body:
        start_response("200 OK", PLAIN)
        return Body(fail=environ["PATH_INFO"] == "/fail")

    Answer(app)
    failed = Answer(app, b"GET /fail HTTP/1.1\r\nHost: a\r\n\r\n")

    assert [False, True] == closed
    assert not failed.response.keep_alive


def test_an_exception_before_the_head_is_a_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    The client hears 500; the log has the traceback, the method and the path.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        raise ValueError("oops")

    answer = Answer(app, b"GET /x?secret HTTP/1.1\r\nHost: a\r\n\r\n")

    assert answer.lines[0] == b"HTTP/1.1 500 Internal Server Error"
    assert "error handling GET /x" in caplog.text
    assert "ValueError: oops" in caplog.text
    assert "secret" not in caplog.text.split("Traceback")[0]


def test_exc_info_replaces_a_head_that_has_not_gone() -> None:
    """
    start_response with exc_info takes the place of the first one.
    """
    import sys

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X-Old", "1")])
        try:
            raise ValueError
        except ValueError:
            start_response("503 Busy", PLAIN, sys.exc_info())
        return [b"busy"]

    answer = Answer(app)

    assert answer.lines[0] == b"HTTP/1.1 503 Busy"
    assert b"X-Old: 1" not in answer.lines


@pytest.mark.parametrize(
    "header",
    [
        ("X-A", "b\r\nSet-Cookie: c"),
        ("X-A", "b\x00"),
        ("X-A", "\u20ac"),
        ("X A", "b"),
        ("Content-Length", "-1"),
    ],
)
def test_a_header_that_breaks_the_head_is_a_500(
    header: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """
    Nothing of it reaches the client, and the log names the header.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [header])
        return [b"x"]

    answer = Answer(app)

    assert answer.lines[0] == b"HTTP/1.1 500 Internal Server Error"
    assert b"Set-Cookie" not in answer.wire.sent
    assert header[0] in caplog.text


def test_more_than_content_length_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    """
    Bytes beyond Content-Length are cut and logged; the connection goes on.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"abcd"]

    answer = Answer(app)

    assert b"ab" == answer.body
    assert answer.response.keep_alive
    assert "2 bytes beyond Content-Length" in caplog.text


def test_less_than_content_length_closes(caplog: pytest.LogCaptureFixture) -> None:
    """
    A body that is too short ends the connection: the next answer is no rest of it.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "9")])
        return [b"abcd"]

    answer = Answer(app)

    assert not answer.response.keep_alive
    assert "5 bytes short" in caplog.text


def test_head_and_no_content_have_no_body() -> None:
    """
    HEAD keeps the length and drops the body; 204 has neither.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        status = "204 No Content" if environ["PATH_INFO"] == "/204" else "200 OK"
        start_response(status, PLAIN)
        return [b"hello"]

    head = Answer(app, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    none = Answer(app, b"GET /204 HTTP/1.1\r\nHost: a\r\n\r\n")

    assert (b"", True) == (head.body, b"Content-Length: 5" in head.lines)
    assert (b"", False) == (none.body, b"Content-Length" in none.head)


def test_the_application_says_close_server_and_date() -> None:
    """
    Connection: close is honoured, its Server and Date win, other hop-by-hop
    headers are not passed on.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        own = [("Server", "mine"), ("Date", "today"), ("Connection", "close")]
        start_response("200 OK", [*own, ("Transfer-Encoding", "chunked")])
        return [b"x"]

    answer = Answer(app)

    assert b"Server: mine" in answer.lines
    assert b"Date: today" in answer.lines
    assert 1 == answer.head.count(b"Server:") == answer.head.count(b"Date:")
    assert b"Connection: close" in answer.lines
    assert b"Transfer-Encoding" not in answer.head


def test_early_hints_go_before_the_response() -> None:
    """
    wsgi.early_hints sends a 103.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
        start_response("200 OK", PLAIN)
        return [b"x"]

    answer = Answer(app)

    assert answer.wire.sent.startswith(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200"
    )


def test_write_may_be_called_with_nothing_to_send() -> None:
    """
    An empty string, and what Content-Length cuts, are no error of the server's.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [*PLAIN, ("Content-Length", "2")])
        write(b"")
        write(b"ab")
        write(b"")
        write(b"cd")
        return []

    assert b"ab" == Answer(app).body


@pytest.mark.parametrize("connection", [b"close", b"keep-alive"])
def test_text_is_refused_before_the_head(connection: bytes) -> None:
    """
    A body or a write of str is a 500, not a head without a body.
    """
    get = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: %s\r\n\r\n" % connection

    def gives(environ: dict[str, Any], start_response: Any) -> list[Any]:
        start_response("200 OK", PLAIN)
        return ["text"]

    def writes(environ: dict[str, Any], start_response: Any) -> list[Any]:
        start_response("200 OK", PLAIN)("text")
        return []

    statuses = [Answer(app, get).response.status for app in (gives, writes)]

    assert [500, 500] == statuses


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, BaseException])
def test_whatever_an_application_raises_is_a_500(error: type[BaseException]) -> None:
    """
    One request can't end the worker, and with it everybody's connections.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise error

    assert 500 == Answer(app).response.status


def test_an_application_that_exits_ends_its_request_only() -> None:
    """
    sys.exit() in the application is a 500; in a worker's signal handler, while
    the worker stops, it goes through.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise SystemExit(3)

    assert b"HTTP/1.1 500 Internal Server Error" == Answer(app).lines[0]

    with pytest.raises(SystemExit):
        Answer(app, stopping=lambda: True)


def test_a_stream_ends_when_nobody_hears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The iterable is asked for no more, and closed.
    """
    monkeypatch.setattr(Wire, "broken", True)
    closed = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        try:
            while True:
                yield b"for ever"
        finally:
            closed.append(True)

    Answer(app)

    assert [True] == closed


def test_hints_say_nothing_about_the_framing() -> None:
    """
    RFC 9110, 8.6: no Content-Length, no Transfer-Encoding in a 1xx.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.early_hints"](
            [("Link", "</a>"), ("Content-Length", "9"), ("Transfer-Encoding", "x")]
        )
        start_response("200 OK", PLAIN)
        return [b"x"]

    assert [b"HTTP/1.1 103 Early Hints", b"Link: </a>"] == Answer(app).lines


def test_who_goes_before_the_head_gets_one_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    A stream that nobody hears any more has a status and a size in the access log.
    """
    monkeypatch.setattr(Wire, "broken", True)

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"one"
        yield b"two"

    response = Answer(app).response

    assert (200, 3) == (response.status, response.sent)
