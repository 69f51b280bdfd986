"""gunicorn's side of WSGI, on a socket."""

import io
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tiamat.compat.gunicorn.config import Config
from tiamat.compat.gunicorn.http import wsgi
from tiamat.compat.gunicorn.http.errors import InvalidHeader, InvalidHeaderName
from tiamat.compat.gunicorn.http.message import Request
from tiamat.compat.gunicorn.http.unreader import IterUnreader

GET = b"GET /a%20b?x=1 HTTP/1.1\r\nHost: shop:81\r\nX-A: 1\r\nX-A: 2\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection."""
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def answer(
    ends: Any,
    raw: bytes,
    headers: list[tuple[str, str]],
    *body: bytes,
    code: str = "200 OK",
) -> str:
    """What the client gets, without the date."""
    request = Request(Config(), IterUnreader([raw]), "")
    response = wsgi.Response(request, ends[0], Config())
    response.start_response(code, headers)
    for part in body:
        response.write(part)
    response.close()
    return re.sub("Date: .*\r\n", "", ends[1].recv(9999).decode())


def test_a_body_without_a_length_is_chunked(ends: Any) -> None:
    """For those who know chunks."""
    assert (
        "HTTP/1.1 200 OK\r\nServer: gunicorn\r\nConnection: keep-alive\r\n"
        "Transfer-Encoding: chunked\r\nX-B: 1\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    ) == answer(ends, GET, [("X-B", "1")], b"ab", b"", b"c")


def test_a_body_ends_with_its_length(ends: Any) -> None:
    """Nothing is sent beyond it."""
    got = answer(ends, GET, [("Content-Length", "3")], b"ab", b"cd")

    assert got.endswith("Content-Length: 3\r\n\r\nabc")


def test_a_body_may_end_with_the_connection(ends: Any) -> None:
    """For those who know no chunks."""
    got = answer(ends, OLD, [], b"ab")

    assert got.endswith("Connection: close\r\n\r\nab")


@pytest.mark.parametrize(("raw", "code"), [(HEAD, "200 OK"), (GET, "304 Not Modified")])
def test_some_answers_have_no_body(ends: Any, raw: bytes, code: str) -> None:
    """Whatever the application says."""
    got = answer(ends, raw, [], b"ab", code=code)

    assert got.endswith("Connection: keep-alive\r\n\r\n")


def test_headers_of_the_connection_are_ours(ends: Any) -> None:
    """But for an upgrade to a WebSocket."""
    headers = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Server", "x")]

    got = answer(ends, GET, headers, code="101 Switching Protocols")

    assert got.endswith("Connection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert "Server: gunicorn" in got


def test_a_class_may_leave_out_a_header(ends: Any) -> None:
    """The usual way to hide which server it is."""

    class Silent(wsgi.Response):
        def default_headers(self) -> list[str]:
            lines = super().default_headers()
            return [line for line in lines if not line.startswith("Server:")]

    request = Request(Config(), IterUnreader([GET]), "")
    response, _ = wsgi.create(request, ends[0], "", "", Config(), Silent)
    response.start_response("200 OK", [])
    response.close()

    assert b"Server" not in ends[1].recv(9999)


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ([("a b", "x")], InvalidHeaderName),
        ([("a", "x\r\nb: y")], InvalidHeader),
        ([("a", 1)], TypeError),
    ],
)
def test_headers_that_can_not_be_sent(
    ends: Any, headers: Any, error: type[Exception]
) -> None:
    """Nothing is."""
    with pytest.raises(error):
        answer(ends, GET, headers)


def test_an_answer_begins_once(ends: Any) -> None:
    """Or again, with an error, as long as nothing was sent."""
    response = wsgi.Response(
        Request(Config(), IterUnreader([GET]), ""), ends[0], Config()
    )
    response.start_response("200 OK", [])

    with pytest.raises(AssertionError):
        response.start_response("200 OK", [])
    try:
        raise KeyError("late")
    except KeyError:
        response.start_response("500 Error", [], sys.exc_info())
    assert "500 Error" == response.status


def test_what_was_sent_stays(ends: Any) -> None:
    """The error goes on instead."""
    response = wsgi.Response(
        Request(Config(), IterUnreader([GET]), ""), ends[0], Config()
    )
    response.start_response("200 OK", [])
    response.write(b"a")
    error = KeyError("late")

    with pytest.raises(KeyError):
        response.start_response("500 Error", [], (KeyError, error, None))


@pytest.mark.parametrize("headers", [[], [("Content-Length", "3")]])
def test_a_file_is_sent(ends: Any, tmp_path: Path, headers: Any) -> None:
    """By the kernel if the length is known."""
    path = tmp_path / "file"
    path.write_bytes(b"hello")
    response = wsgi.Response(
        Request(Config(), IterUnreader([GET]), ""), ends[0], Config()
    )
    response.start_response("200 OK", headers)

    with path.open("rb") as file:
        file.seek(2)
        response.write_file(wsgi.FileWrapper(file))
        response.close()

    assert b"llo" in ends[1].recv(9999)
    assert 3 == response.sent


def test_an_environ_is_made(ends: Any) -> None:
    """Of what the client has said."""
    request = Request(Config(), IterUnreader([GET]), "")

    _, environ = wsgi.create(
        request, ends[0], ("192.0.2.7", 5), ("1.2.3.4", 80), Config()
    )

    expected = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/a b",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "x=1",
        "RAW_URI": "/a%20b?x=1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "1.2.3.4",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "5",
        "HTTP_X_A": "1,2",
        "HTTP_HOST": "shop:81",
        "wsgi.url_scheme": "http",
        "gunicorn.socket": ends[0],
    }
    assert expected.items() <= environ.items()


@pytest.mark.parametrize(
    ("host", "expected"), [("shop:81", ("shop", "81")), ("shop", ("shop", "80"))]
)
def test_behind_a_unix_socket_the_client_names_the_server(
    host: str, expected: tuple[str, str]
) -> None:
    """There is nothing else."""
    environ = {"HTTP_HOST": host, "wsgi.url_scheme": "http"}

    assert expected == wsgi.server_of("/run/x", environ)


def test_a_proxy_header_counts() -> None:
    """Over the peer."""
    info = {
        "proxy_protocol": "TCP4",
        "client_addr": "192.0.2.9",
        "client_port": 9,
        "proxy_addr": "192.0.2.8",
        "proxy_port": 8,
    }

    environ = wsgi.proxy_environ(SimpleNamespace(proxy_protocol_info=info))

    assert ("192.0.2.9", "9") == (environ["REMOTE_ADDR"], environ["REMOTE_PORT"])


def test_a_file_wrapper_is_one_of_ours() -> None:
    """So that the server may send the file by itself."""
    wrapper = wsgi.FileWrapper(io.BytesIO(b"abc"), 2)

    assert [b"ab", b"c"] == list(wrapper)
    with pytest.raises(IndexError):
        wrapper[0]


def test_errors_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    """To the standard error."""
    wsgi.WSGIErrorsWrapper(Config()).write("oh")

    assert "oh" == capsys.readouterr().err


def test_the_log_has_gunicorns_name() -> None:
    """Which configurations may name."""
    assert "gunicorn.http.wsgi" == wsgi.log.name
