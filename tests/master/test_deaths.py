"""What the log says of a worker's end, and how loud."""

import os
import re
import signal
import time
from pathlib import Path

import pytest
from children import child

from tiamat.master.deaths import ATTEMPTS, failure_of_start, report
from tiamat.master.member import State
from tiamat.system.messages import Failed
from tiamat.system.scoreboard import MEASURED_AT, MEMORY

EXITED = 0
STATUS_1 = 1 << 8
STATUS_3 = 3 << 8
STATUS_4 = 4 << 8
STATUS_255 = 255 << 8
KILLED = int(signal.SIGKILL)
CRASHED = int(signal.SIGSEGV)
ABORTED = int(signal.SIGABRT)


@pytest.mark.parametrize(
    ("state", "status", "expected"),
    [
        (State.DRAINING, EXITED, "[INFO] {name} exited\n"),
        (State.KILLED, STATUS_1, "[INFO] {name} ended after ABRT: silent for 9 s\n"),
        (State.KILLED, ABORTED, "[INFO] {name} killed by SIGABRT: silent for 9 s\n"),
        (State.KILLED, KILLED, "[INFO] {name} killed by SIGKILL: silent for 9 s\n"),
        (State.KILLED, EXITED, "[INFO] {name} exited: silent for 9 s\n"),
        (State.SERVING, EXITED, "[WARNING] {name} exited, not asked to\n"),
        (State.SERVING, STATUS_255, "[ERROR] {name} exited with status 255\n"),
        (State.DRAINING, STATUS_255, "[ERROR] {name} exited with status 255\n"),
        (State.BOOTING, CRASHED, "[ERROR] {name} killed by SIGSEGV\n"),
        (
            State.SERVING,
            KILLED,
            "[ERROR] {name} killed by SIGKILL, not by us: by hand, or for memory\n",
        ),
    ],
)
def test_an_end_is_as_loud_as_it_is_strange(
    tmp_path: Path, state: State, status: int, expected: str
) -> None:
    """What we asked for is information; what nobody asked for is an error."""
    with child(tmp_path, state=state) as one:
        report(one.log, one.forked, status, cause="silent for 9 s")

        assert one.logged.endswith(expected.format(name=one.forked))
        assert 1 == one.logged.count("\n")


def test_how_much_memory_it_had_is_said(tmp_path: Path) -> None:
    """As it was seen last: the one that is gone can't be asked."""
    with child(tmp_path) as one:
        one.forked.row.counts[MEMORY] = 300 << 20
        one.forked.row.times[MEASURED_AT] = time.monotonic() - 2
        report(one.log, one.forked, KILLED)

        assert "by hand, or for memory; memory: 300 MiB 2 s before\n" in one.logged


def test_what_the_kernel_did_for_memory_is_said(tmp_path: Path) -> None:
    """Its counters tell it from somebody's ``kill -9``."""
    with child(tmp_path) as one:
        report(one.log, one.forked, KILLED, oom=True)

        assert one.logged.endswith("not by us: by the kernel, for memory\n")


def test_the_request_that_it_held_is_named(tmp_path: Path) -> None:
    """With its age; perhaps it is what killed the worker."""
    with child(tmp_path) as one:
        one.forked.row.begin(time.monotonic(), b"GET /die?x=1 HTTP/1.1\r\n")
        report(one.log, one.forked, CRASHED)

        assert re.search(
            r"SIGSEGV; in the application: GET /die\?x=1 for \d+\.\d s\n", one.logged
        )


def test_a_worker_that_said_why_it_can_not_boot_is_quoted(tmp_path: Path) -> None:
    """Its reason says more than its exit status."""
    with child(tmp_path, state=State.BOOTING) as one:
        one.forked.failure = Failed(3, "no module named 'shop'")
        report(one.log, one.forked, STATUS_3)

        assert one.logged.endswith("can't boot: no module named 'shop'\n")


def test_a_crash_in_c_leaves_its_stacks_in_the_log(tmp_path: Path) -> None:
    """They came through the pipe that a dying interpreter writes to."""
    with child(tmp_path) as one:
        os.write(one.worker.stacks, b"Fatal Python error: Segmentation fault\n")
        report(one.log, one.forked, CRASHED)

        assert "killed by SIGSEGV\n" in one.logged
        assert one.logged.endswith(
            f"{one.forked} had this in its threads:\n"
            "Fatal Python error: Segmentation fault\n"
        )


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (STATUS_3, 3),
        (STATUS_4, 4),
        (EXITED, 0),
        (STATUS_255, 0),
        (KILLED, 0),
        (CRASHED, 0),
    ],
)
def test_the_exit_status_tells_whether_others_can_boot(
    tmp_path: Path, status: int, expected: int
) -> None:
    """3 and 4 are the application's: no other worker could load it."""
    with child(tmp_path) as one:
        failure = failure_of_start(one.forked, status, 1)

        assert expected == (failure.exit_status if failure else 0)


def test_who_said_so_could_not_boot_however_it_ended(tmp_path: Path) -> None:
    """It may have been killed on its way out."""
    with child(tmp_path) as one:
        one.forked.failure = Failed(4, "no 'app' in 'shop'")

        failure = failure_of_start(one.forked, KILLED, 1)

        assert failure is not None
        assert 4 == failure.exit_status
        assert "no 'app' in 'shop'" == str(failure)


def test_who_does_not_read_the_log_hears_that_there_is_more(tmp_path: Path) -> None:
    """The traceback is there."""
    with child(tmp_path) as one:
        one.forked.failure = Failed(3, "no registry\nTraceback …")
        failure = failure_of_start(one.forked, STATUS_3, 1)

        assert "no registry; the error log has more" == str(failure)


def test_a_start_is_not_tried_for_ever(tmp_path: Path) -> None:
    """Workers that die without a word are tried a few times."""
    with child(tmp_path) as one:
        assert failure_of_start(one.forked, CRASHED, ATTEMPTS - 1) is None

        failure = failure_of_start(one.forked, CRASHED, ATTEMPTS)

        assert failure is not None
        assert 3 == failure.exit_status
        assert "killed by SIGSEGV" in str(failure)


def test_a_reason_that_is_known_is_not_explained_again(tmp_path: Path) -> None:
    """Of several workers that fail alike the log has one traceback."""
    with child(tmp_path) as one:
        one.forked.failure = Failed(3, "no registry\nTraceback …")
        report(one.log, one.forked, STATUS_3, "no registry\nTraceback …")

        assert one.logged.endswith("can't boot: no registry\n")
