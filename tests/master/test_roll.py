"""What is committed proves good, or is undone: no process, and a clock by hand."""

import math
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tiamat.config import Config
from tiamat.master.arbiter import Arbiter
from tiamat.master.listeners import Listeners, never
from tiamat.master.member import Member, State
from tiamat.master.outcome import Outcome
from tiamat.master.roll import Roll
from tiamat.master.spawn import Plan
from tiamat.workers import load_worker_class


@dataclass
class Committed:
    """
    A master that has just committed generation 2.

    Attributes:
        arbiter: it, with one worker of either generation.
        roll: what can be undone.
        old: what the first generation was made of.
        path: where the master logs.
    """

    arbiter: Arbiter
    roll: Roll
    old: Plan
    path: Path

    def old_goes(self) -> None:
        """The worker of the first generation is replaced."""
        old, new = self.arbiter.roster.members()
        self.arbiter.roster.retired(old, 1.0, 31.0)
        self.arbiter.roster.exited(old, 2.0)
        new.state = State.SERVING


@pytest.fixture
def committed(tmp_path: Path) -> Iterator[Committed]:
    """The old settings have an address that the new ones give up."""
    path = tmp_path / "error.log"
    common = {"errorlog": str(path), "chdir": str(tmp_path)}
    arbiter = Arbiter(Config(**common, bind=["127.0.0.1:0"]))
    premises, roster = arbiter.premises, arbiter.roster
    premises.open_log()
    old = premises.plan
    old.listeners = Listeners({}).rebound(old.config, never)
    new = Config(**common, bind=[f"unix:{tmp_path}/new"], reload_watch=10.0)
    plan = Plan(new, load_worker_class("sync"), old.listeners.rebound(new, never))
    roster.add(Member(0, 1, 100, 0.0, state=State.SERVING))
    candidate = Member(0, 2, 101, 0.0, state=State.READY, candidate=True)
    roster.add(candidate)
    roll = Roll(arbiter.keeper, premises.change(plan))
    roster.commit(candidate)
    yield Committed(arbiter, roll, old, path)
    old.listeners.close()
    arbiter.stop()


def test_it_can_be_undone_until_the_new_workers_have_proved_good(
    committed: Committed,
) -> None:
    """All of them are new, and then they have served for ``reload_watch`` seconds."""
    roll = committed.roll

    assert "" == roll.look_after(100.0)
    assert math.inf == roll.deadline

    committed.old_goes()

    assert roll.deadline < math.inf
    assert "" == roll.look_after(100.0)
    assert roll.complete
    assert 110.0 == roll.deadline
    assert "" == roll.look_after(109.9)
    assert "generation 2 has proved good" == roll.look_after(110.0)
    assert "every worker is of generation 2\n" in committed.path.read_text()


def test_nobody_waits_for_a_proof_if_something_else_is_to_be_done(
    committed: Committed,
) -> None:
    """The next reload begins when every worker is a new one."""
    committed.old_goes()

    assert "every worker is a new one" == committed.roll.look_after(1.0, watch=False)


def test_a_death_brings_settings_and_generation_back(committed: Committed) -> None:
    """What serves of the new generation, is due."""
    arbiter = committed.arbiter
    [old, new] = arbiter.roster.members()
    outcome, why = committed.roll.undo(new)

    assert Outcome.ROLLED_BACK is outcome
    assert f"generation 1 is in force again, since {new} died" == why
    assert committed.old.config is arbiter.premises.config
    assert ["", "rolled back"] == [old.due, new.due]
    assert 1 == arbiter.roster.generation


def test_an_address_that_is_taken_by_now_can_not_be_brought_back(
    committed: Committed,
) -> None:
    """The new settings stay in force, whatever their workers do; the log says why."""
    committed.old_goes()
    host, port = committed.old.listeners.all[0].sock.getsockname()
    committed.old.config.put("bind", [f"{host}:{port}"], "the test")
    committed.roll.look_after(1.0)
    [new] = committed.arbiter.roster.members()
    with socket.create_server((host, port)):
        outcome, why = committed.roll.undo(new)

    assert Outcome.COMMITTED is outcome
    assert why.startswith(f"can't go back though {new} died: can't listen on {host}:")
    assert 2 == committed.arbiter.roster.generation
    assert "can't go back, so going on" in committed.path.read_text()
