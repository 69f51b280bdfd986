"""Which molds there are to be."""

import subprocess
import sys

# A keeper that preloads, and a turn of the arbiter's as far as molds have a part.
PROLOGUE = """
import os, select, signal, sys
sys.path.insert(0, "tests")
from tiamat.config import Config
from tiamat.master import mold
from tiamat.master.arbiter import Arbiter
from tiamat.master.spawn import Plan

def plan(app="apps.pid:app", **settings):
    config = Config(preload_app=True, wsgi_app=app, **settings)
    return Plan(config, first.worker_class, first.listeners)

arbiter = Arbiter(Config(preload_app=True, wsgi_app="APP"))
arbiter.premises.open_log()
keeper, molds, first = arbiter.keeper, arbiter.keeper.molds, arbiter.premises.plan

def wait_for(mold):
    select.select([mold.channel], [], [], 30)

def reap():
    pid, status = os.wait()
    arbiter.mold_exited(molds.reaped(pid), status)

def living():
    return sorted(mold.member.generation for mold in molds.all if not mold.ended)
"""


def run(script: str, app: str = "apps.pid:app") -> tuple[list[str], str]:
    """What the script prints, and what it logs."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            PROLOGUE.replace("APP", app) + script + "\nmolds.close()",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 0 == done.returncode, done.stderr

    return done.stdout.splitlines(), done.stderr


def test_each_plan_has_its_mold_and_no_other_stays() -> None:
    """What serves, what a reload tries, and what it may be rolled back to."""
    lines, _ = run(
        """
second = plan()
molds.tend(None, None)
print(living())
molds.tend(second, None)
print(living())
arbiter.premises.plan = second
molds.tend(None, first)
print(living())
molds.tend(None, None)
print(living())
reap()
print(len(molds.all))
"""
    )

    assert ["[1]", "[1, 2]", "[1, 2]", "[2]", "1"] == lines


def test_workers_can_be_forked_when_the_application_is_loaded() -> None:
    """Until then the roster's wish has to wait."""
    lines, log = run(
        """
molds.tend(None, None)
print(molds.ready_for(first), len(list(keeper.tasks())))
wait_for(first.mold)
molds.tend(None, None)
print(molds.ready_for(first), len(list(keeper.tasks())))
print(molds.deadline)
"""
    )

    assert ["False 0", "True 1", "inf"] == lines
    assert "has loaded the application in" in log


def test_the_candidate_s_mold_that_fails_ends_the_reload() -> None:
    """There is no pause for the next one: that is another reload's."""
    lines, log = run(
        """
molds.tend(None, None)
wait_for(first.mold)
bad = plan("apps.nobody:app")
arbiter.roster.trying = True
molds.tend(bad, None)
wait_for(bad.mold)
reap()
print(arbiter.roster.trying, molds.losses, arbiter.failure)
"""
    )

    assert ["False 0 None"] == lines
    assert "mold gen=2 pid=" in log
    assert "can't boot: no module named 'apps.nobody'" in log


def test_the_first_mold_that_fails_ends_the_start() -> None:
    """As a worker's failure does."""
    lines, log = run(
        """
molds.tend(None, None)
wait_for(first.mold)
reap()
print(arbiter.failure.exit_status, arbiter.stopping)
""",
        "apps.pid:nobody",
    )

    assert ["4 True"] == lines
    assert "no worker can boot; exit status 4" in log


def test_a_sleep_of_the_machine_counts_for_no_mold() -> None:
    """It has that much longer to boot."""
    lines, _ = run(
        """
molds.tend(None, None)
before = first.mold.deadline
molds.forgive(100.0)
print(first.mold.deadline - before)
"""
    )

    assert ["100.0"] == lines
