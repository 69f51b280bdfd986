"""The load: wrk, or WebSockets, pinned to the clients' core."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.environment import ROOT

SCRIPT = Path(__file__).with_name("wrk.lua")
CONNECTIONS = 50


@dataclass(frozen=True)
class Request:
    """
    What wrk asks for, again and again.

    Attributes:
        varied: So many different Referers come in turn, so that no two requests
            in a row on one connection are the same; 0 is none.
    """

    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    body_size: int = 0
    varied: int = 0


@dataclass(frozen=True)
class Figures:
    """What wrk saw."""

    requests: int
    seconds: float
    errors: int
    p50_ms: float
    p99_ms: float


def run(url: str, request: Request, seconds: int, core: int) -> Figures:
    """
    Put load on a server for some whole seconds.

    Raises:
        RuntimeError: wrk failed, or does not come back.
    """
    command = ["taskset", "-c", str(core), "wrk", "-t", "1", "-c", str(CONNECTIONS)]
    command += ["-d", f"{seconds}s", "-s", str(SCRIPT)]
    for name, value in request.headers:
        command += ["-H", f"{name}: {value}"]
    command += [url, "--"]
    command += [request.method, str(request.body_size), str(request.varied)]
    return figures_of(command, seconds)


def echo(
    port: int, size: int, seconds: int, core: int, *, raw: bool = False
) -> Figures:
    """
    Let a server echo WebSocket messages of *size* bytes for some whole seconds.

    If *raw*, bytes of TCP, without any WebSocket.

    Raises:
        RuntimeError: the client failed, or does not come back.
    """
    command = ["taskset", "-c", str(core), sys.executable, "-m", "bench.ws_client"]
    command += [str(port), str(size), str(seconds), str(CONNECTIONS)]
    command += ["raw"] if raw else []
    return figures_of(command, seconds)


def figures_of(command: list[str], seconds: int) -> Figures:
    """Run a client and find what it saw."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 20
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError("the client does not come back") from error
    return figures(done.stdout + done.stderr)


def figures(output: str) -> Figures:
    """Find the line that wrk.lua or ws_client printed."""
    for line in output.splitlines():
        mark, _, text = line.partition(" ")
        if mark == "FIGURES":
            return Figures(**json.loads(text))
    last = output.strip().rpartition("\n")[2]
    raise RuntimeError(f"the client failed: {last[-300:]}")
