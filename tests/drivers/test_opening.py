"""The first bytes of a connection are looked at, and what follows is its own."""

import asyncio
import logging
import socket
import struct
import time
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from drivers.aio_loops import PATIENT, run, until
from drivers.loops import GET, LAST, Running, read_all, read_until, running
from protocol.proxies import V1, V2, V2_SSL
from running import wait_until

from tiamat.drivers.opening import Behind, Opener, Opening
from tiamat.drivers.service import Timeouts
from tiamat.protocol.networks import Networks
from tiamat.protocol.preface import Preface
from tiamat.protocol.proxy import BEGINNINGS

LOG = logging.getLogger("tests.opening")


def make_opener(
    behind: Behind, *, admits: list[str] | None = None, timeout: float = 20.0
) -> Opener:
    """What a worker makes of its settings."""
    networks = Networks(["127.0.0.1"] if admits is None else admits)

    def make(secure: bool) -> Preface:
        return Preface(BEGINNINGS["auto"], looks=secure)

    return Opener(
        LOG, timeout, make, admits=[("proxy_allow_ips", networks.has)], behind=behind
    )


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with both ends, and how they speak."""
    start_response("200 OK", [])
    names = (
        "REMOTE_ADDR",
        "REMOTE_PORT",
        "SERVER_NAME",
        "SERVER_PORT",
        "wsgi.url_scheme",
    )
    return [" ".join(environ[name] for name in names).encode() + b"!"]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """The same."""
    client, server = scope["client"], scope["server"]
    text = f"{client[0]} {client[1]} {server[0]} {server[1]} {scope['scheme']}!"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})


ENDS = b"192.0.2.7 56324 198.51.100.1 443 http!"
ENDS_TLS = b"192.0.2.7 56324 198.51.100.1 443 https!"

HEADERS = pytest.mark.parametrize(("header", "ends"), [(V1, ENDS), (V2_SSL, ENDS_TLS)])

PIECES = list(pairwise([0, 1, 6, 12, 13, 15, 16, 30, 200]))


def opening(server: Running, **options: Any) -> Running:
    """Have a loop that runs expect headers."""
    server.service.opener = make_opener(server.service.environs.behind, **options)
    return server


# --- On the selector loop ------------------------------------------------------------


@HEADERS
@pytest.mark.usefixtures("kind")
def test_both_ends_are_those_of_the_header(header: bytes, ends: bytes) -> None:
    """On a connection that is kept alive, for each request."""
    with (
        running(wsgi, Timeouts(keepalive=20.0)) as server,
        opening(server).connect() as sock,
    ):
        sock.sendall(header + GET % b"a")
        first = read_until(sock, b"!")
        sock.sendall(LAST % b"b")
        second = read_all(sock)

    assert first.endswith(ends)
    assert second.endswith(ends)


@HEADERS
@pytest.mark.usefixtures("kind")
def test_it_may_come_in_pieces(header: bytes, ends: bytes) -> None:
    """Each is taken before the next one is sent; so nothing spins meanwhile."""
    with running(wsgi) as server:
        opening(server)
        with server.connect() as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for begin, end in PIECES:
                sock.sendall(header[begin:end])
                size = min(end, len(header))
                wait_until(partial(taken, server, size), "a piece taken")
            sock.sendall(LAST % b"a")

            assert read_all(sock).endswith(ends)


def taken(server: Running, count: int) -> bool:
    """Whether an opening, the only one, has so many bytes; or is over."""
    found = list(server.loop.openings)
    return took(found[0], count) if found else server.loop.connections == 1


def came(connections: set[Any], count: int) -> bool:
    """The same of the connections of an asyncio server."""
    found = list(connections)
    return any(not isinstance(one, Opening) or took(one, count) for one in found)


def took(opening: Opening, count: int) -> bool:
    """Whether an opening has so many bytes."""
    reader = opening.preface._reader
    return reader is None or len(reader._seen) >= count


@pytest.mark.usefixtures("kind")
def test_what_is_no_header_is_closed_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without an answer; and a flood of them is one line."""
    with running(wsgi) as server:
        opening(server)
        answers = [quiet_ask(server, LAST % b"a") for _ in range(3)]

    assert [b"", b"", b""] == answers
    assert 1 == caplog.text.count("connections refused: 1, this one from 127.0.0.1:")
    assert "is it set to send a header?" in caplog.text


@pytest.mark.usefixtures("kind")
def test_who_is_not_allowed_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it sends: it could claim to be anybody."""
    with running(wsgi) as server:
        opening(server, admits=["192.0.2.0/24"])
        answer = quiet_ask(server, V1 + LAST % b"a")

    assert b"" == answer
    assert "it is none of proxy_allow_ips" in caplog.text


def quiet_ask(server: Running, data: bytes) -> bytes:
    """What comes back, and a reset is nothing."""
    try:
        return server.ask(data)
    except ConnectionError:
        return b""


@pytest.mark.usefixtures("kind")
def test_who_is_silent_is_closed() -> None:
    """Within the time for a head, and whoever ends or resets at once."""
    with running(wsgi) as server:
        opening(server, timeout=0.0)
        with server.connect() as silent, server.connect() as half:
            half.sendall(V1[:20])

            assert b"" == silent.recv(1)
            assert b"" == half.recv(1)
        server.service.opener = make_opener(server.service.environs.behind)
        server.connect().close()
        sock = server.connect()
        wait_until(lambda: server.loop.openings, "it is there")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        wait_until(lambda: not server.loop.connections, "both are gone")


@pytest.mark.usefixtures("kind")
def test_room_is_made_of_those_who_are_silent() -> None:
    """They are counted as connections, and the oldest ones go first."""
    with running(wsgi) as server:
        opening(server)
        server.service.limit_connections = 2
        with server.connect() as first, server.connect() as second:
            wait_until(lambda: server.loop.connections == 2, "both are there")
            answer = server.ask(V1 + LAST % b"a")
            first.settimeout(20)

            assert answer.endswith(ENDS)
            assert b"" == first.recv(1)
            second.sendall(V2 + LAST % b"a")
            assert read_all(second).endswith(ENDS)


@pytest.mark.usefixtures("kind")
def test_a_drain_waits_for_who_has_just_come() -> None:
    """Its header and request are served, and the connection closes behind them."""
    with running(wsgi, Timeouts(keepalive=20.0)) as server:
        opening(server)
        with server.connect() as sock:
            wait_until(lambda: server.loop.connections == 1, "it is there")
            server.draining = True
            server.stopping = True
            wait_until(lambda: not server.loop.accepting, "it drains")
            sock.sendall(V1 + GET % b"a")

            assert read_all(sock).endswith(ENDS)


@pytest.mark.usefixtures("kind")
def test_what_follows_is_somebody_elses() -> None:
    """``begin`` gets a socket on which its own first byte comes next."""
    seen: list[tuple[bytes, Any]] = []

    def begin(sock: socket.socket, address: Any, base: Any) -> None:
        seen.append((sock.recv(100), address))
        sock.close()

    with running(wsgi) as server:
        opening(server)
        server.loop.begin = begin
        with server.connect() as sock:
            sock.sendall(V2 + b"\x16\x03\x01")
            assert b"" == sock.recv(1)

    assert [(b"\x16\x03\x01", ("192.0.2.7", 56324))] == seen


# --- On asyncio ----------------------------------------------------------------------


@pytest.mark.usefixtures("aio_loop")
@HEADERS
def test_on_asyncio_both_ends_are_those_of_the_header(
    header: bytes, ends: bytes
) -> None:
    """On a connection that is kept alive, for each request."""

    async def client(reader: Any, writer: Any) -> None:
        writer.write(header + GET % b"a")
        assert (await reader.readuntil(b"!")).endswith(ends)
        writer.write(LAST % b"b")
        assert (await reader.read()).endswith(ends)

    run(asgi, client, opener=make_opener, timeouts=PATIENT)


@pytest.mark.usefixtures("aio_loop")
@HEADERS
def test_on_asyncio_it_may_come_in_pieces(header: bytes, ends: bytes) -> None:
    """Each is taken before the next one is sent; so nothing spins meanwhile."""

    async def client(reader: Any, writer: Any) -> None:
        connections = servers[0].connections
        for begin, end in PIECES:
            writer.write(header[begin:end])
            size = min(end, len(header))
            await until(partial(came, connections, size))
        writer.write(LAST % b"a")
        assert (await reader.read()).endswith(ends)

    servers: list[Any] = []
    run(asgi, client, opener=make_opener, timeouts=PATIENT, made=servers.append)


@pytest.mark.usefixtures("aio_loop")
def test_on_asyncio_who_is_none_of_ours_is_closed() -> None:
    """No header, a silent one, a half one: closed in their time, and forgotten."""

    async def client(reader: Any, writer: Any) -> None:
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert b"" == await quietly(reader)
        address = writer.get_extra_info("peername")
        silent, one = await asyncio.open_connection(*address)
        half, two = await asyncio.open_connection(*address)
        two.write(V2[:13])
        assert b"" == await silent.read()
        assert b"" == await half.read()
        await until(lambda: not servers[0].connections)
        one.close()
        two.close()

    servers: list[Any] = []
    opener = partial(make_opener, timeout=0.0)
    run(asgi, client, opener=opener, timeouts=PATIENT, made=servers.append)


async def quietly(reader: asyncio.StreamReader) -> bytes:
    """What comes, and a reset is nothing."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


@pytest.mark.usefixtures("aio_loop")
def test_on_asyncio_who_is_not_allowed_is_closed() -> None:
    """Whatever it sends."""

    async def client(reader: Any, writer: Any) -> None:
        writer.write(V1 + LAST % b"a")
        assert b"" == await quietly(reader)

    run(asgi, client, opener=partial(make_opener, admits=[]), timeouts=PATIENT)


@pytest.mark.usefixtures("aio_loop")
def test_on_asyncio_room_is_made_of_those_who_are_silent() -> None:
    """They are counted as connections, and the oldest ones go first."""

    async def client(reader: Any, writer: Any) -> None:
        server = servers[0]
        server.service.limit_connections = 1
        await until(lambda: server.connections)
        address = writer.get_extra_info("peername")
        new, other = await asyncio.open_connection(*address)
        other.write(V1 + LAST % b"a")
        assert b"" == await reader.read()
        assert (await new.read()).endswith(ENDS)
        other.close()

    servers: list[Any] = []
    run(asgi, client, opener=make_opener, timeouts=PATIENT, made=servers.append)


@pytest.mark.usefixtures("aio_loop")
def test_on_asyncio_a_drain_waits_for_who_has_just_come() -> None:
    """Its header and request are served, and the connection closes behind them."""

    async def client(reader: Any, writer: Any) -> None:
        server = servers[0]
        await until(lambda: server.connections)
        drain = asyncio.ensure_future(server.drain(time.monotonic() + 20))
        await until(lambda: server.draining)
        writer.write(V1 + GET % b"a")
        assert (await reader.read()).endswith(ENDS)
        await drain

    servers: list[Any] = []
    run(asgi, client, opener=make_opener, timeouts=PATIENT, made=servers.append)
