"""A thread of a pool: it leads, serves, and gives the lead away."""

import threading
import time
from typing import Any

import pytest
from drivers.loops import read_all, read_until, running

pytestmark = [
    pytest.mark.usefixtures("kind"),
    pytest.mark.parametrize("kind", ["threads"], indirect=True),
]

GET = b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n"
LAST = b"GET /%s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


def name(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with the name of the thread, after as long as the path says."""
    time.sleep(float(environ["PATH_INFO"][1:] or 0))
    start_response("200 OK", [])
    return [threading.current_thread().name.encode() + b";"]


def test_an_application_that_answers_at_once_needs_one_thread() -> None:
    """
    It leads, reads and serves; no other one is even started.
    """
    with running(name) as server, server.connect() as sock:
        answers = set()
        for _ in range(50):
            sock.sendall(GET % b"")
            answers.add(read_until(sock, b";").rpartition(b"\n")[2])
        seats = len(server.pool.seats)

    assert {b"worker-thread-1;"} == answers or seats > 1  # a busy machine is slow


def test_who_waits_is_served_by_another_thread() -> None:
    """
    The lead goes on while the leader is in the application.
    """
    with running(name) as server, server.connect() as slow:
        slow.sendall(LAST % b"0.5")
        other = server.ask(LAST % b"0")
        first = read_all(slow)

    assert first.rpartition(b"\n")[2] != other.rpartition(b"\n")[2]
