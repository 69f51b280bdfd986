"""One WebSocket on an asyncio loop: real sockets, and the client of websockets."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from drivers.aio_loops import make, reset_now, run_on_loop, until
from protocol.handshakes import HEAD
from protocol.test_websocket import close_frame, frame
from protocol.wire import PARSERS
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tiamat.drivers.aio import AioServer
from tiamat.drivers.aio_upgrade import begin_websocket
from tiamat.drivers.aio_websocket import AioWebSocket
from tiamat.drivers.overload import busy_asgi
from tiamat.drivers.service import Timeouts
from tiamat.gateways.asgi import ASGIGateway
from tiamat.protocol.handshake import WebSocketSettings
from tiamat.system.scoreboard import errors

LIMIT = 45.0
TEXT = 1
FAR = 1000.0
"""Seconds beyond every deadline: what the clock will say."""


@pytest.fixture(autouse=True)
def kind(aio_loop: str) -> str:
    """On each loop, and not on the evented driver, of which there are kinds."""
    return aio_loop


class Served:
    """A server, and clients for it."""

    def __init__(self, server: AioServer, address: tuple[str, int]) -> None:
        self.server = server
        self.address = address
        self.reports: list[Any] = []

    def connect(self, **given: Any) -> Any:
        """A client of the library, which asks nothing by itself."""
        options: dict[str, Any] = {
            "compression": None,
            "ping_interval": None,
            "open_timeout": None,
            "max_size": None,
        }
        options |= given
        host, port = self.address
        return connect(f"ws://{host}:{port}/ws?a=b", proxy=None, **options)

    async def open(
        self, wire: bytes = HEAD
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client that says what it is told."""
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(wire)
        return reader, writer

    @property
    def websockets(self) -> list[AioWebSocket]:
        found = self.server.connections
        return [one for one in found if isinstance(one, AioWebSocket)]

    def sweep(self, later: float) -> None:
        """Look at all deadlines, as if it were so many seconds later."""
        for websocket in self.websockets:
            websocket.sweep(time.monotonic() + later)


@contextlib.asynccontextmanager
async def serving(
    app: Any,
    parser: str = "httptools",
    timeouts: Timeouts | None = None,
    **options: Any,
) -> AsyncIterator[Served]:
    """Serve *app* for the length of an ``async with``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        server = make(app, listener, PARSERS[parser], timeouts, 1000, None)
        served = Served(server, listener.getsockname())
        service = server.service
        service.websocket = WebSocketSettings(**options)
        service.begin_websocket = begin_websocket
        service.finished = lambda *what: served.reports.append(what)
        server.accept()
        try:
            async with asyncio.timeout(LIMIT):
                yield served
        finally:
            await server.drain(time.monotonic() + 5)
            server.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    run_on_loop(cast(Any, test()))


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Send back what comes, until the end."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        message["type"] = "websocket.send"
        await send(message)


class Recorder:
    """An application that accepts, and keeps what it receives."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.scope: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            self.heard.append(await receive())
            if self.heard[-1]["type"] == "websocket.disconnect":
                return

    def end(self) -> tuple[int, str]:
        assert self.heard[-1]["type"] == "websocket.disconnect"
        return self.heard[-1]["code"], self.heard[-1]["reason"]


def disconnected(app: Recorder) -> Callable[[], bool]:
    return lambda: bool(app.heard) and app.heard[-1]["type"] == "websocket.disconnect"


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("parser", PARSERS)
def test_an_echo(parser: str, compression: str | None) -> None:
    """Text and bytes, small and large, as they are and compressed."""

    async def test() -> None:
        async with (
            serving(echo, parser) as served,
            served.connect(compression=compression) as client,
        ):
            for message in ("grüß", "", b"\x00\xff", "a" * 70_000, b"b" * 3_000_000):
                await client.send(message)
                assert message == await client.recv()
            assert (compression is not None) == bool(client.protocol.extensions)

    run(test)


def test_fragments_both_ways() -> None:
    """A message in pieces is one message."""

    async def test() -> None:
        async with serving(echo) as served, served.connect() as client:
            await client.send(["a", "bc", "", "d" * 70_000])
            assert "abc" + "d" * 70_000 == await client.recv()

    run(test)


def test_the_scope_and_the_handshake() -> None:
    """What the client offers, and what the application makes of it."""
    scopes = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await receive()
        headers = [[b"x-one", b"1"], [b"set-cookie", b"a=b"]]
        await send(
            {"type": "websocket.accept", "subprotocol": "two", "headers": headers}
        )

    async def test() -> None:
        names = [Subprotocol("one"), Subprotocol("two")]
        async with serving(app) as served:
            async with served.connect(subprotocols=names) as client:
                assert client.subprotocol == "two"
                assert client.response.headers["x-one"] == "1"
                assert client.response.headers["set-cookie"] == "a=b"
                assert client.response.headers["server"] == "tiamat"
                await client.wait_closed()
            await until(lambda: served.reports)
        ((_, response, scope, _, _),) = served.reports
        assert response.status == 101
        assert scope is scopes[0]

    run(test)

    (scope,) = scopes
    assert scope["type"] == "websocket"
    assert scope["scheme"] == "ws"
    assert (scope["path"], scope["query_string"]) == ("/ws", b"a=b")
    assert scope["subprotocols"] == ["one", "two"]
    assert "websocket.http.response" in scope["extensions"]


# --- Refusals -------------------------------------------------------------------


async def rejection(served: Served) -> Any:
    """The response that a client gets in place of a WebSocket."""
    with pytest.raises(InvalidStatus) as caught:
        async with served.connect():
            pass
    return caught.value.response


def test_closing_before_accepting_is_403() -> None:
    """As the specification says."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 1008})

    async def test() -> None:
        async with serving(app) as served:
            answer = await rejection(served)
            assert answer.status_code == 403
            assert answer.headers["connection"] == "close"
            await until(lambda: not served.server.connections)
            assert [403] == [report[1].status for report in served.reports]

    run(test)


def test_a_denial_response() -> None:
    """Any status, headers, and a body in pieces."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        start = {"type": "websocket.http.response.start", "status": 401}
        start["headers"] = [(b"www-authenticate", b"Basic")]
        await send(start)
        kind = "websocket.http.response.body"
        await send({"type": kind, "body": b"log", "more_body": True})
        await send({"type": kind, "body": b" in"})

    async def test() -> None:
        async with serving(app) as served:
            answer = await rejection(served)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Basic"
            assert answer.body == b"log in"

    run(test)


async def returns(scope: Any, receive: Any, send: Any) -> None:
    """Neither accept nor close."""


async def raises(scope: Any, receive: Any, send: Any) -> None:
    raise ZeroDivisionError


async def splits(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept", "subprotocol": "a\r\nb: c"})


@pytest.mark.parametrize("app", [returns, raises, splits])
def test_an_application_that_fails_before_is_a_500(app: Any) -> None:
    """It is what the client of a request would get."""

    async def test() -> None:
        async with serving(app) as served:
            assert (await rejection(served)).status_code == 500
            assert errors(served.server.tally) == 1

    run(test)


# --- Ends -----------------------------------------------------------------------


async def closes(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 4002, "reason": "enough"})
    assert (await receive())["code"] == 4002
    with pytest.raises(RuntimeError):
        await send({"type": "websocket.send", "text": "late"})


async def accepts_and_returns(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})


async def accepts_and_raises(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    raise ZeroDivisionError


async def closes_wrongly(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 1006})


@pytest.mark.parametrize(
    ("app", "code", "reason"),
    [
        (closes, 4002, "enough"),
        (accepts_and_returns, 1000, ""),
        (accepts_and_raises, 1011, ""),
        (closes_wrongly, 1011, ""),
    ],
)
def test_how_an_application_ends_it(app: Any, code: int, reason: str) -> None:
    """The client hears the code, and the connection is closed."""

    async def test() -> None:
        async with serving(app) as served:
            async with served.connect() as client:
                await client.wait_closed()
                assert (code, reason) == (client.close_code, client.close_reason)
            await until(lambda: not served.server.connections)
            assert not served.server.turns.running

    run(test)


@pytest.mark.parametrize(
    ("wire", "end"),
    [
        (close_frame(1001, "bye"), (1001, "bye")),
        (frame(8), (1005, "")),
        (b"", (1006, "")),
        (frame(TEXT, b"\xff"), (1007, "invalid start byte at position 0")),
        (frame(3), (1002, "invalid opcode")),
    ],
)
def test_how_a_client_ends_it(wire: bytes, end: tuple[int, str]) -> None:
    """The application hears code and reason, behind the last message."""
    app = Recorder()

    async def test() -> None:
        async with serving(app) as served:
            reader, writer = await served.open()
            await reader.readuntil(b"\r\n\r\n")
            writer.write(frame(TEXT, b"last") + wire)
            writer.write_eof()
            await reader.read()
            writer.close()
            await until(disconnected(app))
            await until(lambda: not served.server.connections)

    run(test)

    assert app.heard[0] == {"type": "websocket.receive", "text": "last"}
    assert end == app.end()


def test_sending_to_who_is_gone_is_an_oserror() -> None:
    """ASGI 2.4; it is not logged as the application's mistake."""
    caught: list[BaseException] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        try:
            await send({"type": "websocket.send", "text": "a"})
        except OSError as error:
            caught.append(error)
            raise

    async def test() -> None:
        async with serving(app) as served:
            async with served.connect():
                pass
            await until(lambda: caught)

    run(test)


def test_a_message_too_big_is_told_to_who_sends_it() -> None:
    """The client hears 1009 though it is in the middle of sending."""
    app = Recorder()

    async def test() -> None:
        async with serving(app, max_message_size=1000) as served:
            reader, writer = await served.open()
            await reader.readuntil(b"\r\n\r\n")
            writer.write(frame(2, b"a" * 5_000_000))
            assert b"\x03\xf1" == (await reader.read())[2:4]
            await writer.drain()
            writer.close()
            await until(disconnected(app))

    run(test)

    assert app.end()[0] == 1009


def test_a_client_that_does_not_close_is_dropped() -> None:
    """It has a moment for its part of the closing handshake."""

    async def test() -> None:
        async with serving(closes) as served:
            reader, writer = await served.open()
            await reader.readuntil(b"enough")
            assert len(served.websockets) == 1
            served.sweep(FAR)
            assert await reader.read() == b""
            await until(lambda: not served.server.connections)
            writer.close()

    run(test)


# --- Pings ----------------------------------------------------------------------


def test_who_does_not_answer_a_ping_is_closed() -> None:
    """Interval, ping, timeout, 1011; the application hears it."""
    app = Recorder()

    async def test() -> None:
        async with serving(app, ping_interval=20.0, ping_timeout=30.0) as served:
            reader, writer = await served.open()
            await reader.readuntil(b"\r\n\r\n")
            served.sweep(19)
            served.sweep(21)
            assert await reader.readexactly(2) == b"\x89\x00"
            served.sweep(50)
            assert not app.heard
            served.sweep(52)
            assert b"\x88\x09\x03\xf3no pong" == await reader.read()
            writer.close()
            await until(disconnected(app))

    run(test)

    assert (1011, "no pong") == app.end()


def test_who_answers_stays() -> None:
    """Ping after ping."""

    async def test() -> None:
        async with serving(echo) as served:
            reader, writer = await served.open()
            await reader.readuntil(b"\r\n\r\n")
            for later in (21, 42, 63):
                served.sweep(later)
                assert await reader.readexactly(2) == b"\x89\x00"
                writer.write(frame(10) + frame(TEXT, b"a"))
                assert await reader.readexactly(3) == b"\x81\x01a"
            writer.write(close_frame(1000))
            assert await reader.read() == b"\x88\x02\x03\xe8"
            writer.close()

    run(test)


def test_pings_can_be_switched_off() -> None:
    """Then silence is no offence."""

    async def test() -> None:
        async with serving(echo, ping_interval=0.0) as served:
            reader, writer = await served.open()
            await reader.readuntil(b"\r\n\r\n")
            served.sweep(FAR)
            served.sweep(2 * FAR)
            writer.write(frame(TEXT, b"a"))
            assert await reader.readexactly(3) == b"\x81\x01a"
            writer.close()

    run(test)


def test_a_slow_application_is_not_a_silent_client() -> None:
    """While we don't read, the pong may be on its way."""
    gate = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await gate.wait()
        await echo_rest(receive, send)

    async def test() -> None:
        async with serving(app) as served:
            reader, writer = await served.open()
            await reader.readuntil(b"\r\n\r\n")
            (websocket,) = served.websockets
            while websocket.transport.is_reading():
                writer.write(frame(TEXT, b"a"))
                await asyncio.sleep(0)
            served.sweep(21)
            served.sweep(42)
            served.sweep(63)
            gate.set()
            assert (await reader.readexactly(4))[:2] == b"\x89\x00"
            writer.close()

    run(test)


async def echo_rest(receive: Any, send: Any) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


# --- Restart --------------------------------------------------------------------


def test_a_drain_is_a_1012() -> None:
    """Both sides hear it at once, also who is accepted only then."""
    app = Recorder()
    gate = asyncio.Event()

    async def either(scope: Any, receive: Any, send: Any) -> None:
        if b"x-late" in dict(scope["headers"]):
            await gate.wait()
        await app(scope, receive, send)

    async def test() -> None:
        async with serving(either) as served:
            late = asyncio.ensure_future(
                served.connect(additional_headers={"x-late": "1"}).__aenter__()
            )
            await until(lambda: len(served.websockets) == 1)
            client: ClientConnection
            async with served.connect() as client:
                drained = asyncio.ensure_future(
                    served.server.drain(time.monotonic() + LIMIT)
                )
                await client.wait_closed()
                assert client.close_code == 1012
                await until(disconnected(app))
                assert app.end()[0] == 1012
                gate.set()
                other = await late
                await other.wait_closed()
                assert other.close_code == 1012
                await drained
            assert [1012] * 2 == [message["code"] for message in app.heard]

    run(test)


# --- Back-pressure --------------------------------------------------------------


def test_who_does_not_read_stops_the_application() -> None:
    """What waits is the transport's high mark and a message, not the rest."""
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await receive()
        await send({"type": "websocket.accept"})
        for _ in range(1000):
            await send({"type": "websocket.send", "bytes": b"a" * 100_000})
            sent += 1

    async def test() -> None:
        async with serving(app) as served:
            reader, writer = await served.open()
            await until(lambda: any(one.full for one in served.websockets))
            (websocket,) = served.websockets
            for _ in range(100):
                await asyncio.sleep(0)
            assert websocket.full
            assert sent < 1000
            assert websocket.transport.get_write_buffer_size() < 300_000
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(1000 * 100_010)
            assert await reader.readexactly(4) == b"\x88\x02\x03\xe8"
            writer.close()

    run(test)


def test_an_application_that_does_not_receive_stops_the_client() -> None:
    """What waits is two reads, not all that the client has to say."""
    gate = asyncio.Event()
    sizes = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await gate.wait()
        while (message := await receive())["type"] == "websocket.receive":
            sizes.append(len(message["bytes"]))

    async def test() -> None:
        async with serving(app) as served:
            async with served.connect() as client:
                sending = asyncio.ensure_future(send_much(client))
                await until(lambda: served.websockets)
                (websocket,) = served.websockets
                await until(lambda: not websocket.transport.is_reading())
                waiting = sum(map(len, websocket.socket.messages))
                assert waiting < 1_000_000
                assert not sending.done()
                gate.set()
                await sending
            await until(lambda: len(sizes) == 2000)

    run(test)

    assert sizes == [10_000] * 2000


async def send_much(client: ClientConnection) -> None:
    for _ in range(2000):
        await client.send(b"a" * 10_000)


def test_pings_of_who_does_not_read_pile_up_nowhere() -> None:
    """One pong answers all."""
    pongs = b"\x8a\x7d" + b"p" * 125

    async def test() -> None:
        async with serving(Recorder()) as served:
            reader, writer = await served.open()
            pings = frame(9, b"p" * 125) * 1000
            for _ in range(100):
                writer.write(pings)
                await writer.drain()
                for websocket in served.websockets:
                    assert websocket.transport.get_write_buffer_size() < 300_000
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(127) == pongs
            writer.close()

    run(test)


def test_receiving_can_be_given_up() -> None:
    """An application that waits with a time limit loses no message by it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for _ in range(3):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(receive(), 0.001)
        await send({"type": "websocket.send", "text": "now"})
        await send({**(await receive()), "type": "websocket.send"})

    async def test() -> None:
        async with serving(app) as served, served.connect() as client:
            assert await client.recv() == "now"
            await client.send("heard")
            assert await client.recv() == "heard"

    run(test)


def test_a_close_frame_has_the_length_of_its_reason() -> None:
    """The wire of an application's close, byte by byte."""

    async def test() -> None:
        async with serving(closes) as served:
            reader, writer = await served.open()
            await reader.readuntil(b"\r\n\r\n")
            wanted = b"\x88\x08" + struct.pack(">H", 4002) + b"enough"
            assert wanted == await reader.readexactly(len(wanted))
            writer.write(close_frame(4002))
            assert await reader.read() == b""
            writer.close()

    run(test)


def test_who_sends_without_a_break_hears_that_the_client_has_gone() -> None:
    """Though the loop had no turn since: a socket that failed takes no more."""
    sent: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        reset_now(clients[0])
        while len(sent) < 10_000:
            await send({"type": "websocket.send", "text": "x"})
            sent.append(1)

    clients: list[socket.socket] = []

    async def test() -> None:
        async with serving(app) as served:
            clients.append(socket.create_connection(served.address))
            clients[0].sendall(HEAD)
            await until(lambda: served.reports)
            await until(lambda: not served.websockets)

    run(test)

    assert len(sent) < 100


def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    """An application that listens for a while, again and again."""
    waiters = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for _ in range(100):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(receive(), 0.0001)
        waiters.append(len(receive.__self__.stream._receivers))

    async def test() -> None:
        async with serving(app) as served, served.connect() as client:
            await client.wait_closed()

    run(test)

    assert [0] == waiters


def test_open_websockets_need_no_room() -> None:
    """
    ``worker_connections`` bounds handshakes in the application, not conversations.

    What is one too many waits for its turn, with all that comes behind it.
    """
    gate = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if b"late" in scope["query_string"]:
            await gate.wait()
        await echo(scope, receive, send)

    async def test() -> None:
        async with serving(app) as served:
            served.server.turns.limit = served.server.turns.room = 1
            clients = [await served.connect() for _ in range(10)]
            assert not served.server.turns.running
            late = HEAD.replace(b"GET /", b"GET /?late=", 1)
            reader, writer = await served.open(late)
            await until(lambda: served.server.turns.running)
            other_reader, other = await served.open(HEAD + frame(TEXT, b"early"))
            await until(lambda: served.server.turns.waiting)
            for client in clients:
                await client.send("a")
                assert "a" == await client.recv()
            gate.set()
            assert b"101" in await reader.readuntil(b"\r\n\r\n")
            assert b"101" in await other_reader.readuntil(b"\r\n\r\n")
            assert b"\x81\x05early" == await other_reader.readexactly(7)
            for client in clients:
                await client.close()
            writer.close()
            other.close()
            await until(lambda: not served.server.turns.streaming)

    run(test)


def test_a_handshake_that_has_waited_too_long_gets_503() -> None:
    """``max_queue_time``, as other requests."""
    gate = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()
        await echo(scope, receive, send)

    async def test() -> None:
        async with serving(app) as served:
            server = served.server
            server.turns.limit = server.turns.room = 1
            gateway = server.service.gateway
            server.service.max_queue_time = 500.0
            server.service.overloaded = ASGIGateway(
                busy_asgi(500.0), gateway.common, gateway.log, gateway.scopes
            )
            reader, writer = await served.open(HEAD)
            await until(lambda: server.turns.running)
            late_reader, late = await served.open(HEAD)
            await until(lambda: server.turns.waiting)
            who, since = server.turns.waiting[0]
            server.turns.waiting[0] = who, since - 1000.0
            server.sweep()
            assert b"503" in await late_reader.readuntil(b"\r\n\r\n")
            gate.set()
            assert b"101" in await reader.readuntil(b"\r\n\r\n")
            writer.close()
            late.close()
            await until(lambda: not server.turns.streaming)

    run(test)
