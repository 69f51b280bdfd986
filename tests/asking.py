"""``tiamatctl`` against servers that tests start."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from running import LIMIT, TESTS


def command(*words: str) -> list[str]:
    """``tiamatctl`` with these words."""
    return [sys.executable, "-m", "tiamat.ctl", *words]


def ctl(*words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run ``tiamatctl`` until it ends."""
    return subprocess.run(
        command(*words),
        env=kept() | environ,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def begin(path: Path, *words: str) -> "subprocess.Popen[str]":
    """Start ``tiamatctl``, and go on."""
    return subprocess.Popen(
        command(f"--socket={path}", *words),
        env=kept(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Wait for its end; exit status, and what it printed."""
    text, _ = process.communicate(timeout=LIMIT)
    return process.returncode, text


def kept() -> dict[str, str]:
    """An environment in which no other server is found."""
    ours = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    return ours | {"XDG_RUNTIME_DIR": "/nowhere", "PYTHONPATH": str(TESTS)}


def data_of(path: Path, *words: str) -> Any:
    """What a command answers, as data."""
    done = ctl(f"--socket={path}", "--json", *words)

    assert 0 == done.returncode, done.stderr

    return json.loads(done.stdout)["data"]


def workers_of(path: Path) -> list[dict[str, Any]]:
    """What the master says of its workers; nothing while the socket has no master."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(LIMIT)
        try:
            sock.connect(str(path))
            sock.sendall(b'{"command": "status", "arguments": {}}\n')
            with sock.makefile() as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["workers"]
        except (ConnectionError, FileNotFoundError, ValueError):
            return []  # it moves to another one
    return found


def serve_all(path: Path, count: int) -> bool:
    """Whether so many workers serve, one in each slot, and there are no others."""
    found = workers_of(path)
    slots = [worker["slot"] for worker in found if worker["state"] == "serving"]
    return slots == [*range(count)] and len(found) == count


def pids_of(path: Path) -> list[int]:
    """The pids of the workers, by slot."""
    return [worker["pid"] for worker in data_of(path, "status")["workers"]]
