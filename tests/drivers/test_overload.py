"""Requests that have waited too long inside a worker."""

import asyncio
import time
from typing import Any

import gevent
import pytest
from drivers.aio_loops import hello, run, until
from drivers.loops import GET, LAST, read_all, running
from running import wait_until

from tiamat.drivers.overload import busy_asgi
from tiamat.gateways.asgi import ASGIGateway

PLACES = {"sync": 2, "threads": 4, "greens": 2}
"""How many requests are in the application before the one that is late."""

LIMIT = 500.0


class Gate:
    """An application that answers when the test lets it."""

    def __init__(self, kind: str) -> None:
        self.wait: Any = gevent.sleep if kind == "greens" else time.sleep
        self.entered = 0
        self.open = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.entered += 1
        mine = self.entered
        while self.open < mine:
            self.wait(0.01)
        start_response("200 OK", [])
        return [b"in time"]


@pytest.mark.parametrize("end", [LAST, GET])
def test_who_has_waited_too_long_gets_503(kind: str, end: bytes) -> None:
    """
    Those who were in time are served, and a kept-alive connection goes on.

    With ``threads`` the answer comes though no thread becomes free.
    """
    places = PLACES[kind]
    gate = Gate(kind)
    with running(gate, busiest=places, max_queue_time=LIMIT) as server:
        late, *inside = [server.connect() for _ in range(places + 1)]
        wait_until(lambda: server.loop.connections > places, "all are here")
        first = inside[:1] if kind == "sync" else inside
        for sock in first:
            sock.sendall(LAST % b"")
        wait_until(lambda: gate.entered == len(first), "they are in the application")
        for sock in inside[len(first) :]:
            sock.sendall(LAST % b"")
        late.sendall(end % b"late")
        if kind == "sync":
            gate.open = 1
            wait_until(lambda: gate.entered == 2, "the other one is, too")
        else:
            queue = server.loop.queue  # type: ignore[attr-defined]
            wait_until(lambda: queue, "it waits")
        clock = server.change("clock", lambda: time.monotonic() + 2 * LIMIT)
        if kind != "threads":
            gate.open = places
        answer = late.recv(65536)
        server.change("clock", clock)
        gate.open = places + 1
        for sock in inside:
            assert read_all(sock).endswith(b"in time")
            sock.close()
        if end == GET:
            late.sendall(LAST % b"")
            assert read_all(late).endswith(b"in time")
        late.close()

    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nretry-after: 500\r\n" in answer
    assert (end == LAST) == (b"\r\nConnection: close\r\n" in answer)


@pytest.mark.parametrize("stuck", [True, False])
def test_who_has_waited_too_long_gets_503_on_asyncio(
    aio_loop: str, stuck: bool
) -> None:
    """When another one leaves the application, or in the next sweep if none does."""
    gate = asyncio.Event()
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await gate.wait()
        await hello(scope, receive, send)

    async def client(reader: Any, writer: Any) -> None:
        server = servers[0]
        service = server.service
        service.max_queue_time = LIMIT
        service.overloaded = ASGIGateway(
            busy_asgi(LIMIT), service.gateway.common, service.log,
            service.gateway.scopes,
        )  # fmt: skip
        writer.write(GET % b"first")
        await until(lambda: seen)
        answer, other = await asyncio.open_connection(
            *writer.get_extra_info("peername")
        )
        other.write(GET % b"late")
        await until(lambda: server.turns.waiting)
        who, since = server.turns.waiting[0]
        server.turns.waiting[0] = who, since - 2 * LIMIT
        if stuck:
            server.sweep()
        else:
            gate.set()
        head = await answer.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 500\r\n" in head
        gate.set()
        await reader.readuntil(b"GET /first 0\n")
        await answer.readuntil(b"Unavailable\n")
        other.write(GET % b"again")
        await answer.readuntil(b"GET /again 0\n")
        other.close()

    servers: list[Any] = []
    run(app, client, limit=1, made=servers.append)

    assert ["/first", "/again"] == seen
