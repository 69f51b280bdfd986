"""ASGI on an asyncio loop; the same on h11, for who wants nothing but Python."""

import asyncio
import socket
import time
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, Final, cast

from tiamat.config import Config, named
from tiamat.drivers.aio import AioServer
from tiamat.drivers.aio_connection import AioConnection
from tiamat.drivers.overload import busy_asgi
from tiamat.drivers.service import ASGIService, Timeouts, over_http
from tiamat.gateways.asgi import ASGIGateway
from tiamat.gateways.lifespan import Lifespan
from tiamat.system.listener import Listener
from tiamat.system.scoreboard import CONNECTIONS, IN_FLIGHT, REQUESTS, SECONDS
from tiamat.workers.base import Worker
from tiamat.workers.check import PEER, SelfCheck
from tiamat.workers.reporting import make_pre_request
from tiamat.workers.serving import (
    FOREVER,
    common_parts,
    make_common,
    make_trust,
    scopes_class,
    take_plain,
)

_RESERVE: Final = 0.2
"""The part of ``graceful_timeout`` that is kept for the lifespan's shutdown."""

_LEAVE: Final = 0.5
"""Seconds that tasks of the application have to clean up when the loop ends."""


class ASGIWorker(Worker):
    """
    Coroutines on one event loop: uvloop's where it is installed.

    Attributes:
        parser: What ``http_parser = auto`` means here.
    """

    interfaces = ("asgi",)
    parser: ClassVar[str] = "auto"

    service: ASGIService
    loop: asyncio.AbstractEventLoop
    lifespan: Lifespan
    aio: AioServer | None = None
    _taking: set[asyncio.Task[object]]
    checking: asyncio.Task[Any]

    def load(self) -> None:
        """Load all that serves, and have the application start up."""
        super().load()
        self.loop = named.loop_factory(self.cfg)()
        asyncio.set_event_loop(self.loop)
        self._taking = set()
        self.mailbox.coroutines = self.take_message
        self.lifespan = Lifespan(
            self.app, self.cfg.asgi_lifespan, self.log,
            stopping=lambda: not self.alive,
        )  # fmt: skip
        self.loop.run_until_complete(self.lifespan.startup())
        self.service = self.make_service()

    def make_service(self) -> ASGIService:
        """The service of this worker, by its settings and its application."""
        cfg = self.cfg
        trust = make_trust(cfg, "x-forwarded-for")  # as uvicorn
        scopes = scopes_class(cfg)(
            root_path=cfg.root_path,
            trust=trust,
            refuse_underscores=cfg.header_map == "refuse",
            state=self.lifespan.state,
        )
        gateway = ASGIGateway(
            self.app, make_common(cfg), self.log, scopes,
            stopping=lambda: not self.alive,
        )  # fmt: skip
        parts = common_parts(self, trust, scopes.behind)
        parts["parser"] = parser_of(cfg, self.parser)
        timeouts: Timeouts = parts["timeouts"]
        timeouts.slow = self.slow
        timeouts.request = cfg.request_timeout or FOREVER
        bases = {
            one.fileno(): scopes.base(server_of(one.sock), self.scheme_of(one))
            for one in self.listeners
        }
        service = ASGIService(gateway=gateway, bases=bases, **parts)
        take_plain(service, cfg)
        if cfg.max_queue_time:
            service.overloaded = ASGIGateway(
                busy_asgi(cfg.max_queue_time), gateway.common, self.log, scopes
            )
        self._add_websockets(service)
        return service

    def scheme_of(self, listener: Listener) -> str:
        """What is spoken on one of the listeners."""
        security = self.security
        return "https" if security and security.secures(listener) else "http"

    def _add_websockets(self, service: ASGIService) -> None:
        """Without the library a site still serves HTTP, also who asks for more."""
        try:
            from tiamat.drivers.aio_upgrade import begin_websocket
            from tiamat.protocol.handshake import WebSocketSettings
        except ImportError as error:
            if self.slot == 0:  # one line per generation
                self.log.info("no WebSockets: %s (pip install websockets)", error)
            return
        cfg = self.cfg
        service.begin_websocket = begin_websocket
        service.websocket = WebSocketSettings(
            max_message_size=cfg.websocket_max_message_size,
            ping_interval=cfg.websocket_ping_interval,
            ping_timeout=cfg.websocket_ping_timeout,
            compression=cast(Any, cfg.websocket_compression),
        )

    def wait_for_accept(self) -> bool:
        """The same as ever; what the lifespan has started goes on meanwhile."""
        return self.loop.run_until_complete(self._wait_for_accept())

    async def _wait_for_accept(self) -> bool:
        decided = self.loop.create_future()

        def look() -> None:
            self.handle_wakeup()
            self.check_if_wanted()
            if (self.accepted or not self.alive) and not decided.done():
                decided.set_result(None)

        self.loop.add_reader(self.wakeup.fileno(), look)
        look()
        await decided
        self.loop.remove_reader(self.wakeup.fileno())
        return self.alive

    def take_message(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """A handler of messages goes on beside the requests."""
        task = self.loop.create_task(coroutine)
        self._taking.add(task)
        task.add_done_callback(self._taken)

    def _taken(self, task: asyncio.Task[object]) -> None:
        self._taking.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.log.error("%s: a message was not taken", self, exc_info=error)

    def serve_check(self, request: SelfCheck) -> None:
        """Serve the worker's request to itself, while the loop goes on."""
        aio = AioServer([], over_http(self.service), self.row, self.loop)
        where = request.host, request.port
        base = self.service.gateway.scopes.base(where, request.scheme)
        protocol = partial(AioConnection, aio, base, PEER)
        coroutine = self.loop.connect_accepted_socket(protocol, request.sock)
        self.checking = self.loop.create_task(coroutine)

    def run(self) -> None:
        """Serve until told to stop, then drain; the application shuts down last."""
        try:
            self.loop.run_until_complete(self._serve())
        finally:
            self._close_loop()

    async def _serve(self) -> None:
        aio = self.aio = AioServer(
            [listener.sock for listener in self.listeners],
            self.service,
            self.row,
            self.loop,
            limit=self.cfg.worker_connections,
        )
        stopped = self.loop.create_future()

        def look() -> None:
            self.handle_wakeup()
            if not self.alive and not stopped.done():
                stopped.set_result(None)

        self.loop.add_reader(self.wakeup.fileno(), look)
        aio.swept = self.report
        aio.enough = self.max_requests
        aio.had_enough = partial(self.retire, "max_requests")
        aio.pre_request = make_pre_request(self)
        self.log.hold()
        if not self.orphaned:
            aio.accept()
            look()
            await stopped
            await self._drain(aio)
        aio.close()
        self.report()
        left = max(1.0, self.deadline() - time.monotonic())
        await self.lifespan.shutdown(left)

    async def _drain(self, aio: AioServer) -> None:
        now = time.monotonic()
        reserve = min(2.0, _RESERVE * self.cfg.graceful_timeout)
        deadline = max(now, self.deadline() - reserve)
        if self.final:
            # An inherited queue is kept for who starts next: systemd's, a test's.
            ours = [li.sock for li in self.listeners if not li.inherited]
            aio.accept_all(ours, deadline)
        self.close_listeners()
        await aio.drain(deadline)

    def _close_loop(self) -> None:
        """Let tasks and generators of the application end; then the loop is gone."""
        loop = self.loop
        if self.aio is not None:
            self.aio.close()
        if not self.aborted:  # else it is the loop that hangs
            with suppress(Exception):
                loop.run_until_complete(cancel_tasks())
                loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()

    def report(self) -> None:
        """Copy the numbers to the scoreboard."""
        aio = self.aio
        if aio is not None:
            counts = self.row.counts
            counts[REQUESTS] = self.nr = aio.handled
            counts[CONNECTIONS] = len(aio.connections)
            counts[IN_FLIGHT] = len(aio.turns.running) + len(aio.turns.streaming)
            self.row.times[SECONDS] = aio.seconds
        self.log.flush()

    def close_listeners(self) -> None:
        """Also while a request is in the application, from the helper thread."""
        if self.aio is not None:
            self.aio.close_listeners()
        super().close_listeners()


class H11Worker(ASGIWorker):
    """The ASGI worker on h11."""

    parser = "h11"


async def cancel_tasks() -> None:
    """Cancel what the application has left running, as ``asyncio.run`` does."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_LEAVE)


def parser_of(cfg: Config, default: str) -> Any:
    """The parser that the settings ask for, or the worker class."""
    if cfg.http_parser == "auto" and default == "h11":
        from tiamat.protocol.parser_h11 import Parser

        return Parser
    return named.parser(cfg)


def server_of(sock: socket.socket) -> tuple[str, int | None]:
    """Where a listener is, as scopes say it: host and port, or a path and None."""
    name = sock.getsockname()
    if isinstance(name, tuple):
        return name[0], name[1]
    return (name.decode() if isinstance(name, bytes) else name), None
