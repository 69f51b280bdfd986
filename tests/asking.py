"""``tiamatctl`` against servers that tests start."""

import json
import os
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


def pids_of(path: Path) -> list[int]:
    """The pids of the workers, by slot."""
    return [worker["pid"] for worker in data_of(path, "status")["workers"]]
