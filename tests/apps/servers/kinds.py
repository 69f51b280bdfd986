"""One of each kind of server, all of which echo lines; ``pid`` names the worker."""

import asyncio
import os
import select
import socket
import socketserver
import threading
from typing import Any

from apps.servers.echo_protocol import Echo

from tiamat.workers.script import RunConfig


def answer(line: bytes) -> bytes:
    """What a line is answered with."""
    return b"%d\n" % os.getpid() if line == b"pid\n" else line


def protocol(config: RunConfig) -> Any:
    """A class of protocols."""
    return Echo


async def lambda_protocol() -> Any:
    """What makes protocols; it takes no config, and is made on the loop."""
    asyncio.get_running_loop()
    return lambda: Echo()


async def streams(config: RunConfig) -> Any:
    """A coroutine function for each connection."""

    async def handler(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while line := await reader.readline():
            writer.write(answer(line))
            await writer.drain()
        writer.close()

    return handler


class Serves:
    """An object on a loop, with all that it may have."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.wanted = asyncio.Event()
        self.servers: list[asyncio.Server] = []

    def check(self) -> bool:
        """Fit, unless a file says otherwise."""
        return not os.path.exists("unfit")

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Until the drain has ended."""
        for sock in sockets:
            server = await asyncio.start_server(self.handle, sock=sock.dup())
            self.servers.append(server)
        await self.wanted.wait()

    async def handle(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection."""
        self.in_flight += 1
        try:
            while line := await reader.readline():
                writer.write(answer(line))
        finally:
            self.in_flight -= 1
            writer.close()

    async def drain(self) -> None:
        """Accept no more."""
        for server in self.servers:
            server.close()

    def close(self) -> None:
        """All has ended."""
        self.wanted.set()


async def serves(config: RunConfig) -> Any:
    """The object."""
    return Serves()


class Blocks:
    """An object in a thread, one connection at a time."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.going = True

    def serve(self, sockets: list[socket.socket]) -> None:
        """Until told to stop."""
        while self.going:
            for listener in select.select(sockets, (), (), 0.02)[0]:
                try:
                    sock, _ = listener.accept()
                except BlockingIOError:
                    continue
                self.in_flight = 1
                handler(sock, None)
                self.in_flight = 0

    def drain(self) -> None:
        """Accept no more."""
        self.going = False


def blocks(config: RunConfig) -> Any:
    """The object."""
    return Blocks()


class Lines(socketserver.StreamRequestHandler):
    """For a socketserver."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(answer(line))


class Threading(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A thread for each connection."""

    daemon_threads = True


def socketservers(config: RunConfig) -> Any:
    """The standard library's."""
    return Threading(("", 0), Lines, bind_and_activate=False)


def handler(sock: socket.socket, address: object) -> None:
    """One connection."""
    with sock, sock.makefile("rwb") as stream:
        for line in stream:
            stream.write(answer(line))
            stream.flush()


def handlers(config: RunConfig) -> Any:
    """The function."""
    assert threading.current_thread() is threading.main_thread()
    return handler


def gevents(config: RunConfig) -> Any:
    """A server of gevent's."""
    from gevent.server import StreamServer

    return StreamServer(("", 0), handler)


def nothing(config: RunConfig) -> Any:
    """No server."""
    return 42


def broken(config: RunConfig) -> Any:
    """One that fails."""
    raise LookupError("no database")


def wsgi(config: RunConfig) -> Any:
    """An application of WSGI."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ws"]

    return app


def asgi(config: RunConfig) -> Any:
    """An application of ASGI."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"as"})

    return app


class Datagrams(asyncio.DatagramProtocol):
    """What comes goes back; ``pid`` is answered with the worker's."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.transport.sendto(answer(data), address)  # type: ignore[attr-defined]


def datagrams(config: RunConfig) -> Any:
    """A class of protocols for datagrams."""
    return Datagrams


class Packets(socketserver.DatagramRequestHandler):
    """For a socketserver."""

    def handle(self) -> None:
        self.wfile.write(answer(self.rfile.read()))


def packets(config: RunConfig) -> Any:
    """The standard library's."""
    return socketserver.UDPServer(("", 0), Packets, bind_and_activate=False)


def names(config: RunConfig) -> Any:
    """It tells which sockets it has."""

    def handler(sock: socket.socket, address: object) -> None:
        sock.sendall(" ".join(sorted(config.sockets)).encode() + b"\n")

    return handler
