"""One WSGI, whichever worker serves it: the same bytes on the wire."""

import re
import socket

import pytest
from conftest import Serve
from drivers.loops import read_all
from running import LIMIT, Server

WORKERS = ["sync", "threads", "gevent"]

GET = "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
TEXT = b"one\ntwo\nthree\nfour"
BODY = b"Host: a\r\nConnection: close\r\nContent-Length: 18\r\n\r\n" + TEXT

# What is asked, the status that comes, and how the response ends.
WAYS = [
    (b"generator", 201, b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
    (b"closing", 200, b"4\r\nsome\r\n5\r\nthing\r\n0\r\n\r\n"),
    (b"how_often", 200, b"\r\n\r\n1"),
    (b"write", 200, b"\r\n\r\nabcd"),
    (b"fails", 500, b"\r\n\r\nInternal Server Error\n"),
    (b"fails_late", 200, b"\r\n\r\n5\r\nbegun\r\n"),
    (b"exc_info", 503, b"\r\n\r\nsorry"),
    (b"nothing", 204, b"\r\n\r\n"),
    (b"short", 200, b"\r\n\r\nfour"),
    (b"long", 200, b"\r\n\r\nfour"),
    (b"silent", 500, b"\r\n\r\nInternal Server Error\n"),
    (b"hints", 200, b"\r\n\r\nhinted"),
    (b"file", 200, b"\r\n\r\n" + b"f" * 50_000),
    (b"large", 200, b"\r\n\r\n" + b"l" * 1_000_000),
    (b"words/%C3%A4?q=1", 200, b"['GET', '', '/words/\xc3\x83\xc2\xa4', 'q=1', None]"),
]


@pytest.fixture(params=WORKERS)
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    """A server of every way to answer, with each worker of WSGI."""
    server = serve("apps.wsgi_ways:app", "-k", request.param)
    server.expect("Traceback")
    server.kind = request.param  # type: ignore[attr-defined]
    return server


def ask(server: Server, data: bytes) -> bytes:
    """Send *data* and the end; everything that comes back."""
    with socket.create_connection(server.address, timeout=LIMIT) as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return read_all(sock)
        except OSError:
            return b""  # it was refused before its end


def test_the_same_answers(server: Server) -> None:
    """
    Every way to answer, right and wrong, and every way to read.
    """
    for path, status, end in WAYS:
        answer = ask(server, (GET % f"/{path.decode()}").encode())

        assert status == statuses(answer)[0], path
        assert answer.endswith(end), path

    lines = ask(server, b"POST /lines HTTP/1.1\r\n" + BODY)
    valid = ask(server, b"POST /valid?a=b HTTP/1.1\r\nX-Y: z\r\n" + BODY)
    kinds = ask(server, (GET % "/kinds").encode())
    hinted = ask(server, (GET % "/hints").encode())
    several = server.kind != "sync"  # type: ignore[attr-defined]

    assert lines.endswith(b"[b'one\\n', b'tw', b'o\\nt', b'hree\\n', b'four', b'']")
    assert valid.endswith(b"\r\n\r\n4\r\none\n\r\n0\r\n\r\n")
    assert kinds.endswith(b"%d" % several)
    assert hinted.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>")


def statuses(data: bytes) -> list[int]:
    """Those of the final responses in *data*."""
    found = [int(text) for text in re.findall(rb"HTTP/1\.1 (\d\d\d) ", data)]
    return [status for status in found if status >= 200]
