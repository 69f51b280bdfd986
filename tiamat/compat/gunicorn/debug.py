"""Says each line that is executed."""

import linecache
import re
import sys
from collections.abc import Container
from types import FrameType
from typing import Any

__all__ = ["spew", "unspew"]


class Spew:
    """
    For ``sys.settrace``.

    Args:
        trace_names: of the modules that are meant; all if there are none.
        show_values: of the variables in the line, too.
    """

    def __init__(
        self, trace_names: Container[str] | None = None, show_values: bool = True
    ) -> None:
        self.trace_names = trace_names
        self.show_values = show_values

    def __call__(self, frame: FrameType, event: str, arg: Any) -> "Spew":
        name = frame.f_globals.get("__name__", "?")
        if event == "line" and (self.trace_names is None or name in self.trace_names):
            code, number = frame.f_code, frame.f_lineno
            line = linecache.getline(code.co_filename, number, frame.f_globals)
            print(f"{name}:{number}: {line.rstrip()}")
            if self.show_values:
                known = {**frame.f_globals, **frame.f_locals}
                words = dict.fromkeys(re.findall(r"\w+", line))
                values = " ".join(f"{w}={known[w]!r}" for w in words if w in known)
                if values:
                    print(f"\t{values}")
        return self


def spew(trace_names: Container[str] | None = None, show_values: bool = False) -> None:
    """From now on say each line."""
    sys.settrace(Spew(trace_names, show_values))


def unspew() -> None:
    """No more."""
    sys.settrace(None)
