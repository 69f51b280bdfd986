"""
ASGI: the application starts up before its first request and shuts down behind its
last, by the lifespan protocol 2.0 of the ASGI specification.

The application runs in a task of its own for as long as the worker lives; context
variables that it sets there are not those of requests.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from tiamat.errors import StartupError
from tiamat.gateways.faults import Log
from tiamat.gateways.loader import reason, without_ours
from tiamat.types import ASGIApp, Message, Scope

_LEAVE: Final = 1.0
"""Seconds that an application has to end behind its last message."""

_HINT: Final = "; if it knows no lifespan, set asgi_lifespan = off"


class Lifespan:
    """
    The lifespan of one application, on the running loop.

    Args:
        app: The application.
        mode: ``auto`` forgives an application that knows no lifespan: one that raises
            or returns before its first ``receive()`` has returned. ``on`` forgives
            nothing; ``off`` does nothing.
        log: Hears what goes wrong.
        stopping: Whether a SystemExit is the worker's and not the application's.

    Attributes:
        state: What the application leaves for its requests, each of which gets a
            shallow copy; None if it has no lifespan.
    """

    state: dict[str, Any] | None = None

    def __init__(
        self,
        app: ASGIApp,
        mode: str,
        log: Log,
        *,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app = app
        self._mode = mode
        self._log = log
        self._stopping = stopping
        self._messages: list[Message] = []
        self._told: asyncio.Future[None] | None = None  # who waits in receive()
        self._answer: asyncio.Future[Message] | None = None  # that we wait for
        self._task: asyncio.Task[None] | None = None
        self._phase = ""
        self._received = False
        self._error: BaseException | None = None

    async def startup(self) -> None:
        """
        Have the application start up; it may take as long as the worker's boot.

        Raises:
            StartupError: It failed; ``__cause__`` is its exception, if it raised one.
        """
        if self._mode == "off":
            return
        state: dict[str, Any] = {}
        self._task = asyncio.create_task(self._run(state), name="lifespan")
        self._task.add_done_callback(forgive)
        answer = await self._ask("startup")
        if answer is None:
            self._judge_silence()
        elif answer["type"] == "lifespan.startup.failed":
            await self._leave(_LEAVE)
            raise failure(str(answer.get("message") or ""), self._error)
        else:
            self.state = state
            self._task.add_done_callback(self._note_end)

    async def shutdown(self, timeout: float) -> None:  # noqa: ASYNC109
        """Have the application shut down, in so many seconds; log what goes wrong."""
        task = self._task
        if self.state is None or task is None or task.done():
            return
        task.remove_done_callback(self._note_end)
        answer = await self._ask("shutdown", timeout)
        if answer is None and not task.done():
            self._log.warning("the application did not shut down within %g s", timeout)
            task.cancel()
            await self._leave(_LEAVE)
            return
        if answer is not None:
            await self._leave(_LEAVE)
        message = answer or {"type": ""}
        said = str(message.get("message") or "") or "it gives no reason"
        if self._error is not None:
            self._log.error(
                "the application's shutdown failed: %s",
                reason(self._error),
                exc_info=without_ours(self._error),
            )
        elif message["type"] == "lifespan.shutdown.failed":
            self._log.warning("the application's shutdown failed: %s", said)

    # --- Our side -----------------------------------------------------------------

    async def _ask(self, phase: str, limit: float | None = None) -> Message | None:
        """Begin a phase; the answer, or None if none came and the application ended."""
        assert self._task is not None  # noqa: S101
        self._phase = phase
        answer = self._answer = asyncio.get_running_loop().create_future()
        self._messages.append({"type": f"lifespan.{phase}"})
        if self._told is not None and not self._told.done():
            self._told.set_result(None)
        await asyncio.wait(
            (answer, self._task), timeout=limit, return_when=asyncio.FIRST_COMPLETED
        )
        self._answer = None
        return answer.result() if answer.done() else None

    async def _leave(self, limit: float) -> None:
        """Wait until the application has ended, but not for long."""
        assert self._task is not None  # noqa: S101
        await asyncio.wait((self._task,), timeout=limit)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait((self._task,), timeout=limit)

    def _judge_silence(self) -> None:
        """The application has ended without an answer: does it know no lifespan?"""
        error = self._error
        if self._mode == "auto" and not self._received:
            why = reason(error) if error is not None else "it returned"
            self._log.debug("the application has no lifespan: %s", why)
            return
        if error is None:
            text = "it returned and did not say whether it has started"
            raise StartupError(f"the application's startup failed: {text}{_HINT}")
        hint = _HINT if self._mode == "auto" else ""
        raise StartupError(
            f"the application's startup failed: {reason(error)}{hint}"
        ) from without_ours(error)

    def _note_end(self, task: "asyncio.Task[None]") -> None:
        """Before the shutdown: what the application keeps going there is gone."""
        if self._error is not None:
            self._log.error(
                "the application's lifespan ended before its time: %s",
                reason(self._error),
                exc_info=without_ours(self._error),
            )

    # --- The application's side -----------------------------------------------------

    async def _run(self, state: dict[str, Any]) -> None:
        scope: Scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": state,
        }
        try:
            await self._app(scope, self._receive, self._send)
        except BaseException as error:
            # asyncio would let sys.exit() end the loop, as if it were the worker's.
            if isinstance(error, SystemExit | KeyboardInterrupt) and self._stopping():
                raise
            self._error = error

    async def _receive(self) -> Message:
        while not self._messages:
            self._told = asyncio.get_running_loop().create_future()
            await self._told
        self._received = True
        return self._messages.pop(0)

    async def _send(self, message: Message) -> None:
        kind, answer = message["type"], self._answer
        allowed = [f"lifespan.{self._phase}.{end}" for end in ("complete", "failed")]
        if kind not in allowed:
            raise RuntimeError(
                f"{kind!r} sent to the lifespan, which expects {' or '.join(allowed)}"
            )
        if answer is None or answer.done():
            raise RuntimeError(f"{kind!r} sent to the lifespan, which was answered")
        answer.set_result(message)


def forgive(task: "asyncio.Task[None]") -> None:
    """A signal that came in the task ends the worker; asyncio need not complain."""
    if not task.cancelled():
        task.exception()


def failure(message: str, error: BaseException | None) -> StartupError:
    """
    What to say of a ``lifespan.startup.failed``.

    Args:
        message: The application's; frameworks put a whole traceback there.
        error: What it raised then, if it did.
    """
    lines = message.strip().splitlines()
    line = lines[-1] if lines else "it gives no reason"
    if not lines and error is not None:
        line = reason(error)
    text = f"the application's startup failed: {line}"
    if len(lines) > 1 and error is None:
        text += f"\n{message.strip()}"
    made = StartupError(text)
    made.__cause__ = error and without_ours(error)
    return made
