"""Under ``spew``: every line of Python that a worker executes, as it does."""

import linecache
import sys
import threading
from types import FrameType
from typing import Any


def spew(frame: FrameType, event: str, argument: object) -> Any:
    """Write ``module:line: text`` to the standard error, for each line of others."""
    if event == "line":
        code, number = frame.f_code, frame.f_lineno
        name = frame.f_globals.get("__name__", "?")
        line = linecache.getline(code.co_filename, number, frame.f_globals).rstrip()
        sys.stderr.write(f"{name}:{number}: {line}\n")
    return spew


def begin() -> None:
    """Trace this thread and all that come."""
    threading.settrace(spew)
    sys.settrace(spew)
