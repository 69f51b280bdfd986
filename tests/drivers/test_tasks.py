"""A request is a task in a context of its own, and one can see where it stands."""

import asyncio
import contextvars
import sys

from tiamat.drivers.tasks import make_spawn, stack_of

NAME = contextvars.ContextVar("NAME", default="nobody")


def test_a_task_has_a_context_of_its_own() -> None:
    """From Python 3.12 on its first step is made at once."""

    async def request() -> None:
        NAME.set("request")
        begun.append(NAME.get())

    async def main() -> None:
        task = make_spawn(asyncio.get_running_loop())(
            request(), context=contextvars.copy_context()
        )
        at_once.extend(begun)
        await task

    begun: list[str] = []
    at_once: list[str] = []
    asyncio.run(main())

    assert ["request"] == begun
    assert "nobody" == NAME.get()
    assert bool(at_once) is (sys.version_info >= (3, 12))


def test_the_stack_of_a_task_reaches_to_what_it_waits_for() -> None:
    """Through all coroutines, the innermost last."""

    async def inner() -> None:
        await asyncio.Event().wait()

    async def outer() -> None:
        await inner()

    async def main() -> str:
        task = asyncio.ensure_future(outer())
        await asyncio.sleep(0)
        stack = stack_of(task)
        task.cancel()
        return stack

    stack = asyncio.run(main())

    assert stack.startswith(":\n")
    assert stack.index(", in outer") < stack.index(", in inner")
    assert stack.index(", in inner") < stack.index(", in wait")


def test_what_is_no_task_has_no_stack() -> None:
    """Another kind of loop may run it."""
    assert "" == stack_of(None)
