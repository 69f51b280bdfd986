"""One connection: what it does with what the protocol and the gateway say."""

import tempfile
import time
from typing import Any

from drivers.loops import read_all, running

from tiamat.protocol.limits import Limits

LAST = b"GET /%s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


def send_file(environ: dict[str, Any], start_response: Any) -> Any:
    """Answer with a file of 1 MB."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the server closes it
    file.write(b"f" * 1_000_000)
    file.seek(0)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](file)


def never(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Is not to be reached."""
    raise AssertionError


def test_a_file_is_sent_whole_after_the_application_closed_it() -> None:
    """
    The descriptor is ours while a slow reader takes the file.
    """
    with running(send_file) as server, server.connect() as sock:
        sock.sendall(LAST % b"file")
        answer = read_all(sock)

    assert b"f" * 1_000_000 == answer.split(b"\r\n\r\n", 1)[1]


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
        deadline = time.monotonic() + 20
        while server.loop.connections and time.monotonic() < deadline:
            server.ask(LAST % b"file")

        assert 0 == server.loop.connections


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
        while sizes[:2] != [0, 0]:
            time.sleep(0.01)
        sock.sendall(b"b" * 10)
        answer = read_all(sock)

    assert (3, [0, 0, 21]) == (answer.count(b"HTTP/1.1 200 "), sizes)
