"""The steps towards the end of a silent worker, and what the log tells of them."""

import math
import os
import select
import signal
import sys
from pathlib import Path

from children import Child, child

from tiamat.master.silence import ABORT, ANSWER, WRITE, Condemned
from tiamat.system.messages import Dump
from tiamat.workers.signals import DUMP_SIGNAL

CAUSE = "silent for 31.0 s (timeout=30)"

DEAF = (
    sys.executable,
    "-c",
    "import signal\n"
    f"for number in ({int(DUMP_SIGNAL)}, signal.SIGABRT):\n"
    "    signal.signal(number, signal.SIG_IGN)\n"
    "print('ready', flush=True)\n"
    "while True:\n"
    "    signal.pause()\n",
)

STUCK = (
    sys.executable,
    "-c",
    "import faulthandler, signal\n"
    f"faulthandler.register({int(DUMP_SIGNAL)}, {{stacks}}, all_threads=True)\n"
    "def stuck_here():\n"
    "    print('ready', flush=True)\n"
    "    while True:\n"
    "        signal.pause()\n"
    "stuck_here()\n",
)


def condemned(one: Child) -> Condemned:
    """The worker is condemned at second 131."""
    return Condemned(one.forked, CAUSE, one.log, 131.0)


def wait_until_ready(one: Child) -> None:
    """Wait for the first line of the process."""
    assert one.process.stdout is not None
    assert b"ready\n" == one.process.stdout.readline()


def test_a_worker_that_answers_is_reported_with_its_stack(tmp_path: Path) -> None:
    """One line names worker, cause and request; the stack is below; then ABRT."""
    with child(tmp_path) as one:
        one.forked.row.begin(100.0, b"GET /slow HTTP/1.1")
        end = condemned(one)
        end.advance(131.0)

        assert Dump(condemned=True) == one.there.receive()
        assert 131.0 + ANSWER == end.deadline

        end.hear("Thread MainThread: in the database")
        end.advance(131.1)

        assert -signal.SIGABRT == one.process.wait(30)
        assert (
            f"worker 3 gen=2 pid={one.process.pid} {CAUSE}, killing;"
            " in the application: GET /slow for 31.0 s\n"
            "Thread MainThread: in the database\n"
        ) in one.logged
        assert 131.1 + ABORT == end.deadline


def test_the_interpreter_answers_for_a_worker_that_can_not(tmp_path: Path) -> None:
    """No thread of it runs Python: a signal has the stacks written from C."""
    with child(tmp_path, STUCK) as one:
        wait_until_ready(one)
        end = condemned(one)
        end.advance(131.0)
        end.advance(131.0 + ANSWER)

        assert 131.0 + ANSWER + WRITE == end.deadline

        # It writes line by line. Wait for the last one, and have it read again.
        text = ""
        while "in <module>" not in text:
            select.select([one.forked.stacks], [], [], 30)
            text += one.forked.read_stacks()
        os.write(one.worker.stacks, text.encode())
        end.advance(132.0)

        assert "in stuck_here" in one.logged
        assert "in the application: no request" in one.logged


def test_a_deaf_worker_is_killed(tmp_path: Path) -> None:
    """Each step has its time, and the last one works."""
    with child(tmp_path, DEAF) as one:
        wait_until_ready(one)
        end = condemned(one)
        now = 131.0
        for _ in ("ask", "ask harder", "abort", "kill"):
            end.advance(now)
            now = end.deadline

        assert -signal.SIGKILL == one.process.wait(30)
        assert "It does not give its stack." in one.logged
        assert math.inf == end.deadline


def test_nothing_happens_before_its_time(tmp_path: Path) -> None:
    """The master calls as often as it likes."""
    with child(tmp_path) as one:
        end = condemned(one)
        end.advance(131.0)
        end.advance(131.0 + ANSWER / 2)

        assert Dump(condemned=True) == one.there.receive()
        assert one.there.receive() is None
        assert one.process.poll() is None


def test_an_answer_after_the_report_changes_nothing(tmp_path: Path) -> None:
    """The worker still has its second between ABRT and KILL."""
    with child(tmp_path, DEAF) as one:
        wait_until_ready(one)
        end = condemned(one)
        end.advance(131.0)
        end.hear("early")
        end.advance(131.1)
        end.hear("late")

        assert 131.1 + ABORT == end.deadline
        assert "late" not in one.logged


def test_a_worker_whose_channel_is_closed_is_asked_harder_at_once(
    tmp_path: Path,
) -> None:
    """It will not hear the question."""
    with child(tmp_path, DEAF) as one:
        wait_until_ready(one)
        one.there.close()
        end = condemned(one)
        end.advance(131.0)

        assert 131.0 + WRITE == end.deadline
