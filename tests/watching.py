"""What the helper of a server answers on ``status_bind``."""

import re
from typing import Final

from running import Server, get

STATUS: Final = "--status-bind=127.0.0.1:0"


def address(server: Server, times: int = 1) -> tuple[str, int]:
    """Where the helper answers, when it has begun for the *times*-th time."""
    match = server.wait_for_log(
        r"status helper pid=\d+ answers on http://127\.0\.0\.1:(\d+)", times
    )
    return "127.0.0.1", int(match[1])


def helper(server: Server, times: int = 1) -> int:
    """Its pid."""
    return int(server.wait_for_log(r"status helper pid=(\d+) answers", times)[1])


def value(where: tuple[str, int], name: str) -> float:
    """One number of the metrics; -1 if it is not there."""
    match = re.search(
        rf"^{re.escape(name)} (\S+)$", get(where, "/metrics").text, re.MULTILINE
    )
    return float(match[1]) if match else -1.0


def ready(where: tuple[str, int]) -> tuple[int, str]:
    """What it says of readiness."""
    answer = get(where, "/readyz")
    return answer.status, answer.text
