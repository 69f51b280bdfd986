"""A server of a worker script's on an event loop."""

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tiamat.config import named
from tiamat.drivers.tcp import Protocols, Serving, stream_protocol
from tiamat.system.scoreboard import CONNECTIONS, IN_FLIGHT, REQUESTS
from tiamat.workers.asgi import cancel_tasks
from tiamat.workers.tcp import TCPWorker

if TYPE_CHECKING:
    from tiamat.workers.base import Worker

BEAT: Final = 1.0
"""Seconds between two signs of life."""


def loop_of(worker: "Worker") -> asyncio.AbstractEventLoop:
    """The loop of this worker, made when it is first wanted."""
    loop: asyncio.AbstractEventLoop | None = getattr(worker, "loop", None)
    if loop is None:
        loop = named.loop_factory(worker.cfg)()
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(partial(tell, worker))
        worker.loop = loop  # type: ignore[attr-defined]
    return loop


def tell(
    worker: "Worker", loop: asyncio.AbstractEventLoop, context: dict[str, Any]
) -> None:
    """Log what nobody has caught; a script may set a handler of its own instead."""
    error = context.get("exception")
    if isinstance(error, asyncio.CancelledError):
        return  # Python 3.11: a stream's callback asks its cancelled task what failed
    worker.log.error("%s: %s", worker, context["message"], exc_info=error)


class LoopWorker(TCPWorker):
    """What is written for asyncio."""

    serving: Protocols | Serving

    def run(self) -> None:
        """Serve until told to stop, then drain."""
        loop = loop_of(self)
        try:
            loop.run_until_complete(self._serve(loop))
            if not self.aborted:
                loop.run_until_complete(cancel_tasks())
                loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def make_serving(self, loop: asyncio.AbstractEventLoop) -> Protocols | Serving:
        """What hands the sockets to the server."""
        listeners = [listener.sock for listener in self.listeners]
        if self.kind == "serves":
            return Serving(self.made, listeners, loop)
        made: Any = self.made
        make = stream_protocol(made, loop) if self.kind == "streams" else made
        return Protocols(
            *(make, listeners, loop, self.log),
            limit=self.cfg.limit_connections,
            security=self.security,
        )

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        serving = self.serving = self.make_serving(loop)
        stopped = loop.create_future()

        def look() -> None:
            self.handle_wakeup()
            if not self.alive and not stopped.done():
                stopped.set_result(None)

        def end() -> None:
            if not stopped.done():
                stopped.set_result(None)

        def beat() -> None:
            self.row.beat(time.monotonic())
            serving.look()
            self.report(serving)
            self._beats = loop.call_later(BEAT, beat)

        self.mailbox.coroutines = loop.create_task
        loop.add_reader(self.wakeup.fileno(), look)
        if isinstance(serving, Serving):
            serving.ended = end
        beat()
        if not self.orphaned:
            serving.begin()
            look()
            await stopped
        if self.alive:
            self.fail_early(serving)
        await self._drain(loop, serving)
        self._beats.cancel()

    def fail_early(self, serving: Protocols | Serving) -> None:
        """Its ``serve`` has ended though nobody wanted that: so does the worker."""
        failure = getattr(serving, "failure", None)
        self.log.error("%s: serve() has ended", self, exc_info=failure)
        raise SystemExit(1)

    async def _drain(
        self, loop: asyncio.AbstractEventLoop, serving: Protocols | Serving
    ) -> None:
        if self.final:
            ours = [li for li in self.listeners if not li.inherited]
            serving.take_all([li.sock for li in ours if not li.takes_datagrams])
        serving.close_listeners()
        self.tell_stop()
        left = max(0.0, self.deadline() - time.monotonic())
        cut = await serving.drain(loop.time() + left)
        if cut:
            self.log.warning("%s: %d connections were cut off", self, cut)
        self.close_listeners()
        self.report(serving)

    def report(self, serving: Protocols | Serving) -> None:
        """Copy the numbers to the scoreboard."""
        counts = self.row.counts
        counts[REQUESTS] = self.nr = serving.handled
        counts[CONNECTIONS] = counts[IN_FLIGHT] = serving.connections
        if self.nr >= self.max_requests:
            self.retire("max_requests")
        self.log.flush()
