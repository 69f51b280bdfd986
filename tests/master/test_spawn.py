"""A worker is forked: what both sides have then, and what fails without a trace."""

import subprocess
import sys
import time
from pathlib import Path

from children import child

from tiamat.master.member import State
from tiamat.master.spawn import STATES
from tiamat.system.scoreboard import STATE

# Forks in a process without threads, and prints what becomes of it.
PROLOGUE = """
import os, resource, select, sys
from tiamat.config import Config
from tiamat.errors import StartupError
from tiamat.master.arbiter import Arbiter
from tiamat.master.member import Member
from tiamat.master.spawn import Plan, spawn
from tiamat.master.listeners import Listeners
from tiamat.system.messages import Retiring
from tiamat.system.scoreboard import GENERATION, PID, SLOT, STARTED_AT
from tiamat.workers.base import Worker

class Speaker(Worker):
    def main(self):
        self.send(Retiring(f"{self.slot} {self.generation} {self.age} {self.ppid}"))
        return 7

def pre_fork(server, worker):
    print("pre_fork", worker, flush=True)

def enter(worker):
    pass

def fork():
    row = arbiter.keeper.scoreboard.take()
    member = Member(3, 2, 0, since=5.0)
    return spawn(plan, member, row, arbiter.server, 9, enter)

def report(forked):
    select.select([forked.channel], [], [], 30)
    said = str(forked.channel.receive()).replace(str(os.getpid()), "MASTER")
    _, status = os.waitpid(forked.member.pid, 0)
    # Only now: the worker prints, too, and a line of print() is two writes.
    print(said)
    print("status", os.waitstatus_to_exitcode(status))

config = Config(pre_fork=pre_fork)
plan = Plan(config, Speaker, Listeners({}))
arbiter = Arbiter(config)
arbiter.premises.open_log()
"""


def run(script: str) -> list[str]:
    """What the script prints, line by line."""
    done = subprocess.run(
        [sys.executable, "-c", PROLOGUE + script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "" == done.stderr
    assert 0 == done.returncode

    return done.stdout.splitlines()


def test_a_worker_knows_its_place_and_its_master_the_pid() -> None:
    """pre_fork sees the object before; its row tells who it is; main() decides."""
    lines = run(
        """
forked = fork()
report(forked)
row = forked.row
pid = forked.member.pid
print(pid == forked.worker.pid == row.counts[PID])
print(row.counts[SLOT], row.counts[GENERATION], row.times[STARTED_AT])
"""
    )

    assert [
        "pre_fork worker 3 gen=2 pid=?",
        "Retiring(reason='3 2 9 MASTER')",
        "status 7",
        "True",
        "3 2 5.0",
    ] == lines


def test_what_can_not_be_entered_has_failed_to_boot() -> None:
    """The master is told why, and the worker ends with the error's status."""
    lines = run(
        """
def enter(worker):
    raise StartupError("no such directory")

report(fork())
"""
    )

    assert ["Failed(status=3, text='no such directory')", "status 3"] == lines[1:]


def test_the_exit_functions_of_a_worker_run_once() -> None:
    """Those of the application; the master's frames never go on in a worker."""
    lines = run(
        """
import atexit

class Speaker(Speaker):
    def main(self):
        atexit.register(os.write, 1, b"bye\\n")
        return super().main()

plan.worker_class = Speaker
report(fork())
"""
    )

    assert 1 == lines.count("bye")
    assert 1 == lines.count("status 7")


def test_without_descriptors_there_is_no_worker_and_no_leak() -> None:
    """It fails as a whole: whatever was opened on the way is closed again."""
    lines = run(
        """
def descriptors():
    return sorted(int(fd) for fd in os.listdir("/proc/self/fd"))

before = descriptors()
for more in range(5):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # One that is listed is the directory's own.
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(before) - 1 + more, hard))
    try:
        fork().close()
    except OSError as error:
        print("no worker:", error.strerror)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
print(before == descriptors())
"""
    )

    assert "no worker: Too many open files" in lines
    assert "True" == lines[-1]


def test_a_class_that_fails_leaves_nothing_open() -> None:
    """Whatever its constructor raises; the master tries again, for days perhaps."""
    lines = run(
        """
class Broken(Worker):
    def __init__(self, init):
        raise LookupError("no registry")

def descriptors():
    return sorted(int(fd) for fd in os.listdir("/proc/self/fd"))

plan.worker_class = Broken
before = descriptors()
try:
    fork()
except LookupError as error:
    print(error)
print(before == descriptors())
"""
    )

    assert ["no registry", "True"] == lines


def test_the_roster_gets_the_heartbeat_and_the_scoreboard_the_state(
    tmp_path: Path,
) -> None:
    """Each tells the other what it knows."""
    with child(tmp_path, state=State.DRAINING) as one:
        now = time.monotonic()
        one.forked.row.beat(now)
        one.forked.exchange()

        assert now == one.forked.member.heartbeat
        assert State.DRAINING is STATES[one.forked.row.counts[STATE]]


def test_the_request_in_the_application_has_words(tmp_path: Path) -> None:
    """Method, path and age, or that there is none."""
    with child(tmp_path) as one:
        assert "no request" == one.forked.request_in_words(0.0)

        one.forked.row.begin(100.0, b"POST /orders HTTP/1.1")

        assert "POST /orders for 2.5 s" == one.forked.request_in_words(102.5)


def test_stacks_are_read_once(tmp_path: Path) -> None:
    """And nobody waits for those that did not come."""
    with child(tmp_path) as one:
        assert "" == one.forked.read_stacks()
