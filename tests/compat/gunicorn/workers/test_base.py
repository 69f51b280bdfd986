"""What workers for gunicorn derive from; under a master: test_foreign_worker."""

import signal
import socket
import ssl
import sys
from typing import Any

import pytest

from tiamat.compat.gunicorn.config import Config as View
from tiamat.compat.gunicorn.workers.base import Worker, status_of
from tiamat.config import Config
from tiamat.observe.log import Log


def worker(**settings: Any) -> Worker:
    """One with these settings."""
    cfg = View.view(Config(**settings))
    made = Worker(3, 4711, [], None, 15, cfg, Log())
    made.tmp.close()
    return made


def test_it_is_made_as_gunicorn_makes_one() -> None:
    """Before it is a process."""
    made = worker()

    assert (3, 4711, 15, "[booting]") == (made.age, made.ppid, made.timeout, made.pid)
    assert (True, False, False, 0) == (made.alive, made.booted, made.aborted, made.nr)
    assert "<Worker [booting]>" == str(made)
    with pytest.raises(NotImplementedError):
        made.run()


def test_it_ends_behind_as_many_requests_as_are_set() -> None:
    """Or never."""
    assert sys.maxsize == worker().max_requests
    assert worker(max_requests=5, max_requests_jitter=2).max_requests in (5, 6, 7)


def test_a_stop_is_graceful_or_not() -> None:
    """TERM, then QUIT and ABRT with their hooks and their statuses."""
    called: list[object] = []
    made = worker(worker_int=called.append, worker_abort=called.append)

    made.handle_exit(signal.SIGTERM, None)
    alive = made.alive
    statuses = []
    for handle in (made.handle_quit, made.handle_abort):
        with pytest.raises(SystemExit) as caught:
            handle(signal.SIGQUIT, None)
        statuses.append(caught.value.code)

    assert not alive
    assert ([made, made], [0, 1]) == (called, statuses)


class ParseException(Exception):
    """What gunicorn's errors of requests derive from."""


class LimitRequestLine(ParseException):
    """One of them."""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LimitRequestLine(), 414),
        (ParseException(), 400),
        (ssl.SSLError(), 403),
        (KeyError(), 500),
    ],
)
def test_errors_have_statuses(error: Exception, status: int) -> None:
    """By their class, or that of which they are."""
    assert status == status_of(error)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (KeyError("secret"), (b"HTTP/1.1 500 Internal Server Error", b"")),
        (ParseException("no"), (b"HTTP/1.1 400 Bad Request", b"no\n")),
    ],
)
def test_an_error_is_answered(error: Exception, answer: tuple[bytes, bytes]) -> None:
    """The client hears what was wrong with its request, and nothing of ours."""
    here, there = socket.socketpair()
    with here, there:
        worker().handle_error(None, there, ("127.0.0.1", 80), error)
        head, _, body = here.recv(4096).partition(b"\r\n\r\n")

    assert answer == (head.partition(b"\r\n")[0], body)
