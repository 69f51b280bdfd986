"""The load: wrk, pinned to the clients' core."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("wrk.lua")
CONNECTIONS = 50


@dataclass(frozen=True)
class Request:
    """What wrk asks for, again and again."""

    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    body_size: int = 0


@dataclass(frozen=True)
class Figures:
    """What wrk saw."""

    requests: int
    seconds: float
    errors: int
    p50_ms: float
    p99_ms: float


def run(port: int, request: Request, seconds: int, core: int) -> Figures:
    """
    Put load on a server for some whole seconds.

    Raises:
        RuntimeError: wrk failed, or does not come back.
    """
    command = ["taskset", "-c", str(core), "wrk", "-t", "1", "-c", str(CONNECTIONS)]
    command += ["-d", f"{seconds}s", "-s", str(SCRIPT)]
    for name, value in request.headers:
        command += ["-H", f"{name}: {value}"]
    command += [f"http://127.0.0.1:{port}/", "--"]
    command += [request.method, str(request.body_size)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + 20
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError("wrk does not come back") from error
    return figures(done.stdout + done.stderr)


def figures(output: str) -> Figures:
    """Find the line that wrk.lua printed."""
    for line in output.splitlines():
        mark, _, text = line.partition(" ")
        if mark == "FIGURES":
            return Figures(**json.loads(text))
    raise RuntimeError(f"wrk failed: {output.strip()[-300:]}")
