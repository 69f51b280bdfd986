"""The wire corpus, put to every worker: one reading, or a refusal and the end."""

import re
import socket
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

import pytest
from apps.reading import reading
from conftest import Serve
from protocol.wire import Case, Verdict, some_or_all
from running import LIMIT, Server

WORKERS = {
    "sync": "apps.reading:wsgi",
    "threads": "apps.reading:wsgi",
    "gevent": "apps.reading:wsgi",
    "asgi": "apps.reading:asgi",
    "h11": "apps.reading:asgi",
}

# RFC 6455, 4.2.1: as WebSockets these are incomplete, and ASGI has WebSockets.
NO_HANDSHAKES = {
    "upgrade-not-taken",
    "upgrade-not-taken-pipelined",
    "upgrade-sec-websocket-key1",
    "upgrade-websocket-bad-version",
}


def put(server: Server, wire: bytes, piece: int, ends: bool) -> tuple[bytes, bool]:
    """
    Send *wire* in pieces; what comes until the server closes, and whether by a reset.

    Who goes on sending when he has been refused may find the connection reset, and
    the refusal with it.
    """
    answer = b""
    reset = False
    with socket.create_connection(server.address, timeout=LIMIT) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for start in range(0, len(wire), piece):
                sock.sendall(wire[start : start + piece])
            if ends:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            reset = True
        try:
            while data := sock.recv(65536):
                answer += data
        except ConnectionError:
            reset = True
    return answer, reset


def readings(verdict: Verdict, worker: str) -> list[str]:
    """What an application should say of the requests that came whole."""
    return [
        reading(seen.method, path_of(seen.target, worker), seen.body.encode("latin-1"))
        for seen in verdict.requests
        if seen.complete
    ]


def path_of(target: str, worker: str) -> bytes:
    """The path as WSGI has it, in bytes, and as ASGI does, in what is UTF-8 of it."""
    path = unquote_to_bytes(target.partition("?")[0])
    if WORKERS[worker].endswith("asgi"):
        return path.decode("utf-8", "replace").encode()
    return path


def judge(case: Case, worker: str) -> tuple[list[str], list[int], bool]:
    """What should be read, how the rest be refused, and whether the server waits."""
    verdict = case.run("h11" if worker == "h11" else "httptools", [case.wire])
    if case.name in NO_HANDSHAKES and WORKERS[worker].endswith("asgi"):
        return [], [400], False
    refused = [verdict.status] if verdict.status else []
    return readings(verdict, worker), refused, verdict.waits


def check(answer: bytes, wanted: list[str], refused: list[int], cut: bool) -> None:
    """
    Raise unless *answer* is all that was wanted.

    A worker may end a connection earlier, if it says so; what was *cut*, a body by its
    sender or the answer by a reset, may end with a refusal, or without one.
    """
    heard = [
        seen.decode() for seen in re.findall(rb"(?i)\r\nReading: (.*)\r\n", answer)
    ]
    statuses = [
        int(status) for status in re.findall(rb"HTTP/1\.1 ([2-5]\d\d) ", answer)
    ]
    if len(heard) < len(wanted) and b"\r\nConnection: close\r\n" in answer:
        assert [200] * len(heard) == statuses
        assert heard
        assert wanted[: len(heard)] == heard
        return

    assert heard == (wanted[: len(heard)] if cut else wanted)
    allowed = [refused, [], [400]] if cut else [refused]
    assert statuses[len(heard) :] in allowed


@pytest.mark.parametrize("worker", WORKERS)
@pytest.mark.parametrize("cases", some_or_all())
def test_a_case_has_one_reading(
    serve: Serve, worker: str, cases: Callable[[], list[Case]]
) -> None:
    """
    The application hears the requests as written, and who is refused is told and
    closed without having to end his side; at once and in pieces.
    """
    server = serve(WORKERS[worker], "-k", worker)
    for case in cases():
        if {"limits", "header_map"} & case.expected.keys():
            continue
        wanted, refused, waits = judge(case, worker)
        cut = "'complete': False" in str(case.expected)
        for piece in (len(case.wire), 7):
            answer, reset = put(server, case.wire, piece, ends=waits)
            try:
                check(answer, wanted, refused, cut or reset)
            except AssertionError as error:
                raise AssertionError(f"{case.name} in pieces of {piece}") from error
