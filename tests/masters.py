"""The masters that a server has had by re-exec, one after the other."""

import os
import re
import signal
from pathlib import Path

from running import LIMIT, Server, ended, wait_until


def masters(server: Server) -> list[int]:
    """The pids of all of them, the first one first; perhaps they are gone."""
    later = re.findall(r"master starts, pid (\d+)", server.log)
    return [server.pid, *map(int, later)]


def usr2(server: Server, times: int = 1) -> int:
    """Ask the first master for a new one; its pid."""
    server.signal(signal.SIGUSR2)
    return int(server.wait_for_log(r"a new master starts, pid (\d+)", times)[1])


def pid_in(path: Path) -> int:
    """The number in a pid file; 0 if there is none."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def named_in(path: Path) -> int:
    """The number in a pid file, as soon as there is one; never 0, which is a group."""
    found = [0]

    def is_there() -> bool:
        found[0] = pid_in(path)
        return found[0] > 0

    wait_until(is_there, "a pid file names a master")
    return found[0]


def stop_all(server: Server) -> None:
    """Stop every master that is left, the newest first."""
    for pid in reversed(masters(server)):
        if not ended(pid):
            os.kill(pid, signal.SIGTERM)
            if pid == server.pid:
                server.process.wait(LIMIT)
            wait_until(lambda pid=pid: ended(pid), f"{pid} ends")  # type: ignore[misc]
    server.wait_until_all_are_gone()
