"""What the roster asks for is done to processes, and their ends are noted."""

import subprocess
import sys

import pytest

from tiamat.config import Config
from tiamat.master.keeper import why_late
from tiamat.master.member import State

# A keeper whose workers say "Ready" and wait.
PROLOGUE = """
import os, select, signal
from tiamat.config import Config
from tiamat.master.arbiter import Arbiter
from tiamat.master.keeper import TURN_MESSAGES
from tiamat.master.member import State
from tiamat.system.messages import Ready, Retiring
from tiamat.workers.base import Worker

class Waiter(Worker):
    def run(self):
        while self.alive:
            select.select([self.wakeup], [], [])
            self.handle_wakeup()

def child_exit(server, worker):
    print("child_exit", worker.slot)

arbiter = Arbiter(Config(workers=2, child_exit=child_exit))
arbiter.premises.plan.worker_class = Waiter
arbiter.premises.open_log()
keeper, roster = arbiter.keeper, arbiter.roster

def ready():
    for forked in keeper.workers.values():
        if forked.member.state is State.BOOTING:
            select.select([forked.channel], [], [], 30)
            [message] = keeper.messages(forked)
            assert message == Ready()
            roster.ready(forked.member, 1.0)

def bury(count):
    for _ in range(count):
        pid, status = os.wait()
        keeper.bury(keeper.workers[pid], status)

def states():
    print(*(f"{m.slot} {m.state.value}" for m in roster.members()), sep=", ")

def end():
    roster.target = 0
    keeper.keep()
    bury(len(keeper.workers))
"""


def run(script: str) -> tuple[list[str], str]:
    """What the script prints, and what it logs."""
    done = subprocess.run(
        [sys.executable, "-c", PROLOGUE + script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "Traceback" not in done.stderr
    assert 0 == done.returncode

    return done.stdout.splitlines(), done.stderr


def test_workers_are_forked_admitted_retired_and_buried() -> None:
    """A whole life, as the roster asks for it; rows and channels are let go."""
    lines, log = run(
        """
keeper.keep()
states()
ready()
keeper.keep()
states()
end()
states()
print(keeper.workers, keeper.scoreboard.rows(), len(keeper.selector.get_map()))
"""
    )

    assert [
        "0 booting, 1 booting",
        "0 serving, 1 serving",
        "child_exit",
        "child_exit",
        "",
        "{} [] 0",
    ] == [line.rstrip(" 01") if "child" in line else line for line in lines]
    assert 2 == log.count(" serves\n")
    assert 2 == log.count(" retires: one worker fewer\n")
    assert 2 == log.count(" exited\n")


def test_a_flood_of_messages_does_not_keep_others_waiting() -> None:
    """A turn hears so many of one worker; the rest come in the next turn."""
    lines, _ = run(
        """
class Chatter(Waiter):
    def run(self):
        for number in range(TURN_MESSAGES + 5):
            self.send(Retiring(str(number)))
        super().run()

arbiter.premises.plan.worker_class = Chatter
roster.target = 1
keeper.keep()
ready()
keeper.keep()
[forked] = keeper.workers.values()
heard, turns = 0, []
while heard < TURN_MESSAGES + 5:
    select.select([forked.channel], [], [], 30)
    turns.append(len(list(keeper.messages(forked))))
    heard += turns[-1]
print(max(turns) <= TURN_MESSAGES, heard - TURN_MESSAGES)
end()
"""
    )

    assert "True 5" == lines[0]


def test_a_worker_that_died_is_replaced_and_its_slot_has_lost_one() -> None:
    """The first replacement comes at once; after the second one there is a pause."""
    lines, log = run(
        """
roster.target = 1
for _ in range(2):
    keeper.keep()
    ready()
    [pid] = keeper.workers
    os.kill(pid, signal.SIGKILL)
    bury(1)
print(roster.slot(0).failures)
"""
    )

    assert ["child_exit 0", "child_exit 0", "2"] == lines
    assert "killed by SIGKILL, not by us" in log
    assert "slot 0 has lost 2 workers in a row; the next one comes in 0.5 s\n" in log


def test_a_class_that_can_not_be_made_is_a_worker_less_and_no_more() -> None:
    """The error is logged, with the time of the next attempt."""
    lines, log = run(
        """
class Broken(Worker):
    def __init__(self, init):
        raise LookupError("no such thing")

arbiter.premises.plan.worker_class = Broken
roster.target = 1
keeper.keep()
print(keeper.workers, keeper.scoreboard.rows())
"""
    )

    assert ["{} []"] == lines
    assert "can't fork worker 0: no such thing; next attempt in 0.5 s\n" in log


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.BOOTING, "did not boot in 9.0 s (boot_timeout=120)"),
        (State.SERVING, "silent for 9.0 s (timeout=30)"),
        (
            State.DRAINING,
            "did not finish in 9.0 s (timeout=30, graceful_timeout=30)",
        ),
    ],
)
def test_who_is_late_hears_why(state: State, expected: str) -> None:
    """With the setting that gave the limit."""
    assert expected == why_late(state, 9.0, Config())
