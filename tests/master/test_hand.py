"""One helper of the crew; how servers keep them: ``test_crew``."""

import os
import selectors
import subprocess
import sys
from pathlib import Path

from tiamat.config import Config
from tiamat.master.hand import LINES, Hand
from tiamat.observe.log import Log
from tiamat.system.lines import Lines

NOW = 1000.0

DEAF = "import signal; signal.signal(15, signal.SIG_IGN); print(1, flush=True); input()"


def begin(hand: Hand, pid: int, selector: selectors.BaseSelector) -> int:
    """There is this process; where it prints to."""
    reader, writer = os.pipe()
    lines = Lines(reader)
    selector.register(lines, selectors.EVENT_READ)
    hand.began(pid, lines, Config(), NOW, function=False)
    return writer


def test_a_flood_is_counted(tmp_path: Path) -> None:
    """The log gets the beginning of it, and how much there was."""
    path = tmp_path / "error.log"
    log, selector = Log(str(path)), selectors.DefaultSelector()
    hand = Hand("one", log)
    writer = begin(hand, os.getpid(), selector)
    os.write(writer, b"x\n" * (LINES + 7))
    hand.hear(selector, NOW)

    assert NOW + 1 == hand.deadline

    hand.hear(selector, NOW + 1)

    assert LINES == path.read_text().count("[one] x\n")
    assert "[one] 7 lines were dropped" in path.read_text()

    os.close(writer)
    hand.close(selector)
    selector.close()
    log.close()


def test_who_does_not_go_is_killed(tmp_path: Path) -> None:
    """When its time is over; and the next one need not wait."""
    path = tmp_path / "error.log"
    log, selector = Log(str(path)), selectors.DefaultSelector()
    hand = Hand("one", log)
    with subprocess.Popen(
        [sys.executable, "-c", DEAF],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert b"1\n" == process.stdout.readline()
        os.close(begin(hand, process.pid, selector))
        hand.retire("reload", NOW, 3.0)

        assert hand.leaving
        assert NOW + 3 == hand.deadline

        hand.kill_if_late(NOW + 2.9)
        assert process.poll() is None
        hand.kill_if_late(NOW + 3)
        process.wait()
        hand.ended(9, selector, NOW + 3)

    assert "does not go, killing" in path.read_text()
    assert f"helper one pid={process.pid} killed by SIGKILL\n" in path.read_text()
    assert (0, NOW + 3) == (hand.pid, hand.slot.retry_at)
    selector.close()
    log.close()
