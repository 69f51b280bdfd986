"""
WebSocket load: ``python -m bench.ws_client PORT SIZE SECONDS CONNECTIONS``.

With ``raw`` behind these the messages have no frames, and the server just echoes.

One thread, one message in flight per connection, frames made beforehand: cheap
enough that the server is what is waited for. Prints one line of JSON, as
wrk.lua does.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

from bench import ws_frames

READ_SIZE = 1 << 18
TIMEOUT = 5.0  # seconds in which something must come
SMALL = 1000  # messages of more bytes are binary: files, not chat


class Peer:
    """One connection, and how much of its echo is still to come."""

    __slots__ = ("began", "left", "sock", "unsent")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.left = 0
        self.began = 0.0
        self.unsent = b""


class Load:
    """All connections of a run."""

    def __init__(
        self, port: int, size: int, connections: int, *, raw: bool = False
    ) -> None:
        opcode = ws_frames.TEXT if size < SMALL else ws_frames.BINARY
        payload = b"x" * size
        self._frame = payload if raw else ws_frames.frame(payload, opcode=opcode)
        self._answer = b"" if raw else ws_frames.answer_to(payload, opcode=opcode)
        self._size = len(self._answer) + size
        self._poll = select.epoll()
        self._peers: dict[int, Peer] = {}
        self.times: list[float] = []  # of each echo, in seconds
        self.errors = 0
        for _ in range(connections):
            peer = Peer(connect_raw(port) if raw else connect(port))
            self._peers[peer.sock.fileno()] = peer
            self._poll.register(peer.sock, select.EPOLLIN)

    def run(self, seconds: float) -> float:
        """Echo for some time; return how long it was, in seconds."""
        begin = time.perf_counter()
        end = begin + seconds
        for peer in list(self._peers.values()):
            self._send(peer)
        while self._peers and time.perf_counter() < end:
            ready = self._poll.poll(TIMEOUT)
            if not ready:
                self.errors += len(self._peers)
                break
            for number, events in ready:
                peer = self._peers[number]
                if events & select.EPOLLOUT:
                    self._send_rest(peer)
                if events & ~select.EPOLLOUT:
                    self._receive(peer)
        return time.perf_counter() - begin

    def _send(self, peer: Peer) -> None:
        peer.left = self._size
        peer.began = time.perf_counter()
        try:
            sent = peer.sock.send(self._frame)
        except OSError:
            self._fail(peer)
            return
        if sent < len(self._frame):
            peer.unsent = self._frame[sent:]
            self._poll.modify(peer.sock, select.EPOLLIN | select.EPOLLOUT)

    def _send_rest(self, peer: Peer) -> None:
        try:
            peer.unsent = peer.unsent[peer.sock.send(peer.unsent) :]
        except OSError:
            self._fail(peer)
            return
        if not peer.unsent:
            self._poll.modify(peer.sock, select.EPOLLIN)

    def _receive(self, peer: Peer) -> None:
        try:
            data = peer.sock.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        strange = peer.left == self._size and not data.startswith(self._answer)
        if strange or not data or len(data) > peer.left:
            self._fail(peer)
            return
        peer.left -= len(data)
        if not peer.left:
            self.times.append(time.perf_counter() - peer.began)
            self._send(peer)

    def _fail(self, peer: Peer) -> None:
        """Count and forget a connection that does not echo as it should."""
        if self._peers.pop(peer.sock.fileno(), None):
            self.errors += 1
            self._poll.unregister(peer.sock)
            peer.sock.close()


def connect_raw(port: int) -> socket.socket:
    """Connect, and leave it non-blocking."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    return sock


def connect(port: int, *, deflate: bool = False) -> socket.socket:
    """
    Open a WebSocket and leave it non-blocking.

    Raises:
        OSError: it is refused, by the kernel or by the server.
    """
    sock = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(ws_frames.handshake(deflate=deflate))
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(4096)
        data += more
        if not more or not data.startswith(b"HTTP/1.1 101"[: len(data)]):
            sock.close()
            raise OSError(f"no WebSocket: {data[:100]!r}")
    if deflate and b"permessage-deflate" not in data:
        sock.close()
        raise OSError("the server does not compress")
    sock.setblocking(False)
    return sock


def main() -> None:
    """Put load on a server, and print what was seen."""
    port, size, seconds, connections = map(int, sys.argv[1:5])
    load = Load(port, size, connections, raw="raw" in sys.argv[5:])
    took = load.run(seconds)
    times = sorted(load.times) or [0.0]
    figures = {
        "requests": len(load.times),
        "seconds": took,
        "errors": load.errors,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[int(len(times) * 0.99)] * 1000,
    }
    print("FIGURES", json.dumps(figures))


if __name__ == "__main__":
    main()
