"""The master's side of a mold, with the test on the other side."""

import math
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tiamat.config import Config
from tiamat.errors import AppError
from tiamat.master import mold as molding
from tiamat.master.listeners import Listeners
from tiamat.master.member import Event, Member, State
from tiamat.master.mold import Mold, load_here
from tiamat.master.spawn import Ends, Plan
from tiamat.observe.log import Log
from tiamat.system import sockets
from tiamat.system.channel import Channel
from tiamat.system.messages import Fork, Handed, NotSpawned, Spawned
from tiamat.system.scoreboard import Scoreboard
from tiamat.workers.base import Worker
from tiamat.workers.gevent import GeventWorker
from tiamat.workers.init import WorkerInit


@dataclass
class Sides:
    """A mold, the end of its channel that is its own, and its process."""

    mold: Mold
    there: Channel
    process: subprocess.Popen[bytes]


@pytest.fixture
def sides() -> Iterator[Sides]:
    """A mold that is ready, whose process only waits."""
    ends = Ends.open()
    process = subprocess.Popen(["sleep", "1000"])
    member = Member(0, 2, process.pid, since=0.0, deadline=5.0)
    mold = Mold(Config(), member, ends.here, ends.reader)
    member.move(Event.READY, 1.0)
    yield Sides(mold, ends.there, process)
    process.kill()
    process.wait()
    mold.close()
    ends.close_theirs()


def worker_of(ends: Ends, tmp_path: Path) -> Worker:
    """The object that stands for the worker in the master."""
    board = Scoreboard(4)
    board.take()
    log = Log(str(tmp_path / "error.log"))
    server = sides  # nothing asks it
    return Worker(
        WorkerInit(3, 2, 9, Config(), [], ends.there, board.take(), log, server)  # type: ignore[arg-type]
    )


def test_an_order_hands_over_what_the_worker_needs(
    sides: Sides, tmp_path: Path
) -> None:
    """
    Its place, its row, its end of the channel, its pipe and its listeners.
    """
    listeners = Listeners(
        {bind: sockets.listen([bind], 5)[0] for bind in ("127.0.0.1:0", "[::1]:0")}
    )
    ends = Ends.open()
    sides.there.send(Spawned(4711))

    assert 4711 == sides.mold.fork(worker_of(ends, tmp_path), ends, listeners)

    order = sides.there.receive()
    given = sides.there.descriptors
    inodes = [ends.there.fileno(), ends.writer, *listeners.descriptors().values()]

    assert Fork(3, 2, 9, 1, {"127.0.0.1:0": False, "[::1]:0": False}) == order
    assert [os.fstat(fd).st_ino for fd in inodes] == [
        os.fstat(fd).st_ino for fd in given
    ]
    for fd in given:
        os.close(fd)
    listeners.close()
    ends.close_ours()
    ends.close_theirs()


def test_many_descriptors_go_before_the_order(sides: Sides, tmp_path: Path) -> None:
    """
    A message takes sixteen; none is lost.
    """
    binds = [f"unix:{tmp_path}/{number}" for number in range(33)]
    listeners = Listeners({bind: sockets.listen([bind], 5)[0] for bind in binds})
    ends = Ends.open()
    sides.there.send(Spawned(4711))
    sides.mold.fork(worker_of(ends, tmp_path), ends, listeners)
    heard = [type(sides.there.receive()) for _ in range(3)]

    assert [Handed, Handed, Fork] == heard
    assert 35 == len(sides.there.descriptors)
    for fd in sides.there.descriptors:
        os.close(fd)
    listeners.close()
    ends.close_ours()
    ends.close_theirs()


def test_a_mold_that_can_not_fork_says_why(sides: Sides, tmp_path: Path) -> None:
    """
    The keeper tries again, as when the master itself can't.
    """
    ends = Ends.open()
    sides.there.send(NotSpawned("Resource temporarily unavailable"))
    with pytest.raises(OSError, match=r"^Resource temporarily unavailable$"):
        sides.mold.fork(worker_of(ends, tmp_path), ends, Listeners({}))

    assert sides.mold.ready
    ends.close_ours()
    ends.close_theirs()


def test_a_mold_that_is_gone_can_not_be_asked(sides: Sides, tmp_path: Path) -> None:
    """
    Its end of the channel is closed; nobody waits for it.
    """
    ends = Ends.open()
    sides.there.close()
    with pytest.raises(OSError, match=r"^mold gen=2 pid=\d+ is gone$"):
        sides.mold.fork(worker_of(ends, tmp_path), ends, Listeners({}))

    ends.close_ours()
    ends.close_theirs()


def test_a_mold_that_does_not_answer_is_killed(sides: Sides) -> None:
    """
    And no longer asked.
    """
    answer = sides.mold.answer(deadline=-math.inf)

    assert NotSpawned(f"{sides.mold} did not fork in 5 s, killing") == answer
    assert not sides.mold.ready
    assert State.KILLED is sides.mold.member.state
    assert -signal.SIGKILL == sides.process.wait()


def test_a_mold_has_a_deadline_while_it_boots(sides: Sides) -> None:
    """
    When it is ready it may live for ever.
    """
    assert math.inf == sides.mold.deadline

    sides.mold.member.state = State.BOOTING

    assert 5.0 == sides.mold.deadline


def test_where_there_are_molds_the_master_loads_nothing(tmp_path: Path) -> None:
    """
    Nor where nobody asked for it.
    """
    log = Log(str(tmp_path / "error.log"))
    config = Config(preload_app=True, wsgi_app="apps.nobody:app")
    load_here(Plan(config, Worker, Listeners({})), log)


def test_elsewhere_it_loads_what_workers_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    But not for workers that have to patch their process first.
    """
    monkeypatch.setattr(molding, "POSSIBLE", False)
    log = Log(str(tmp_path / "error.log"))
    config = Config(preload_app=True, wsgi_app="apps.pid:app")
    plan = Plan(config, Worker, Listeners({}))
    green = Plan(config, GeventWorker, Listeners({}))
    load_here(plan, log)
    load_here(green, log)
    with pytest.raises(AppError):
        load_here(
            Plan(
                Config(preload_app=True, wsgi_app="apps.pid:x"), Worker, Listeners({})
            ),
            log,
        )

    assert callable(plan.app)
    assert green.app is None
    assert "no effect with this worker class" in (tmp_path / "error.log").read_text()
