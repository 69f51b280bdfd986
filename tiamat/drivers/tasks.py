"""Tasks of an asyncio loop: how requests become some, and where one stands."""

import asyncio
import contextvars
import sys
import traceback
from collections.abc import Coroutine
from functools import partial
from typing import Any, Protocol, cast


class Spawn(Protocol):
    """What makes a task of a coroutine, in a context of its own."""

    def __call__(
        self, coro: Coroutine[Any, Any, None], *, context: contextvars.Context
    ) -> Any: ...


def make_spawn(loop: asyncio.AbstractEventLoop) -> Spawn:
    """
    What makes a task of a coroutine, on this loop.

    From Python 3.12 on its first step is made at once, inside the task: most
    requests are answered in it, and the loop never hears of them.
    """
    if sys.version_info >= (3, 12):
        return partial(asyncio.Task, loop=loop, eager_start=True)
    return cast(Spawn, loop.create_task)


def stack_of(task: Any) -> str:
    """
    Where a task stands, in lines for the log; nothing if it can't be told.

    Its own ``get_stack`` gives the outermost coroutine only.
    """
    lines: list[str] = []
    waits = task.get_coro() if isinstance(task, asyncio.Task) else None
    while waits is not None:
        frame = first_of(waits, "cr_frame", "ag_frame", "gi_frame")
        if frame is not None:
            lines += traceback.format_stack(frame, limit=1)
        waits = first_of(waits, "cr_await", "ag_await", "gi_yieldfrom")
    return ":\n" + "".join(lines).rstrip() if lines else ""


def first_of(thing: Any, *names: str) -> Any:
    """The first of these attributes that *thing* has; None if it has none."""
    return next((getattr(thing, name) for name in names if hasattr(thing, name)), None)
