"""What the helper answers, with its master at the other end of the channel."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tiamat.system.channel import Channel
from tiamat.system.messages import Drain, Facts, Look
from tiamat.system.scoreboard import READY, SERVING, STOPPING, UNREADY, Scoreboard
from tiamat.workers import status
from tiamat.workers.status import LATE, Master, Status


class Desk:
    """The application, and the master's end."""

    def __init__(self) -> None:
        self.here, there = Channel.pair()
        self.board = Scoreboard(2)
        self.master = Master(there)
        self.app = Status(self.board, self.master)

    def get(self, path: str, method: str = "GET") -> tuple[str, str]:
        """A request: the status, and the body."""
        said: list[str] = []

        def start_response(status: str, headers: Any) -> None:
            said.append(status)

        environ = {"PATH_INFO": path, "REQUEST_METHOD": method}
        body = b"".join(self.app(environ, start_response))
        return said[0], body.decode()

    def close(self) -> None:
        """Both ends."""
        self.here.close()
        self.master.channel.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A helper that is in this process."""
    one = Desk()
    yield one
    one.close()


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        (SERVING, ("200 OK", "ok\n")),
        (UNREADY, ("503 Service Unavailable", "no worker serves\n")),
        (STOPPING, ("503 Service Unavailable", "stopping\n")),
    ],
)
def test_readyz_is_the_master_s_word(
    desk: Desk, word: int, answer: tuple[str, str]
) -> None:
    """In memory that both share: the master need not be asked."""
    desk.board.ledger.counts[READY] = word

    assert answer == desk.get("/readyz")
    assert desk.here.receive() is None


def test_livez_asks_the_master_and_does_not_wait(desk: Desk) -> None:
    """One that was asked just now may still be busy."""
    assert ("200 OK", "ok\n") == desk.get("/livez")
    assert Look() == desk.here.receive()
    assert ("200 OK", "ok\n") == desk.get("/livez")
    assert desk.here.receive() is None


def test_a_master_that_does_not_answer_is_not_alive(desk: Desk) -> None:
    """Until it does."""
    desk.master.ask(time.monotonic() - LATE - 1)
    code, text = desk.get("/livez")

    assert "503 Service Unavailable" == code
    assert "has not answered for 1" in text

    desk.here.send(Facts({}))

    assert ("200 OK", "ok\n") == desk.get("/livez")


def test_metrics_have_what_the_master_said_last(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it is too busy to say more."""
    monkeypatch.setattr(status, "ANSWER", 0.01)
    facts = {
        "version": "1",
        "began": 1.0,
        "generation": 1,
        "target": 3,
        "backlog": {},
        "ends": {},
        "reloads": {},
    }
    _, before = desk.get("/metrics")
    desk.here.send(Facts(facts))
    _, after = desk.get("/metrics")
    _, late = desk.get("/metrics")

    assert "tiamat_workers_target" not in before
    for text in after, late:
        assert "tiamat_workers_target 3.0\n" in text


def test_there_is_nothing_else(desk: Desk) -> None:
    """No other page, and nothing to change."""
    assert "404 Not Found" == desk.get("/")[0]
    assert "405 Method Not Allowed" == desk.get("/livez", "POST")[0]


def test_it_goes_when_it_is_told(desk: Desk) -> None:
    """At the end of what it does."""
    desk.here.send(Drain(False))
    desk.get("/livez")

    assert desk.master.left
