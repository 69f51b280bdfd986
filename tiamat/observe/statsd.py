"""
Figures to a statsd daemon, under gunicorn's names.

A datagram has many of them: those of thirty requests, or of a second. Nobody waits for
the daemon: what it does not take is lost, as over UDP anywhere.
"""

import atexit
import os
import re
import socket
import weakref
from collections import Counter, deque
from functools import partial
from typing import Final

from tiamat.system.unpatched import unpatched

DATAGRAM: Final = 1432
"""Bytes that fit an Ethernet frame: those of a datagram, less the headers."""

ENOUGH: Final = 25
"""Requests that fill a datagram."""

EVERY: Final = 1.0
"""Seconds for which figures wait at the most, in a process that has turns."""

ADDRESS: Final = re.compile(r"(?:udp://)?(\[[^\]]+\]|[^:/\[\]]+):(\d{1,5})")


def split(text: str) -> tuple[str, int] | str:
    """
    Host and port of ``HOST:PORT``, or the path of ``unix://PATH``.

    Raises:
        ValueError: with the end of a sentence that begins with the text.
    """
    if text.startswith("unix://") and len(text) > len("unix://"):
        return text.removeprefix("unix://")
    match = ADDRESS.fullmatch(text)
    if match is None or int(match[2]) > 65535:
        raise ValueError("is no address; write HOST:PORT, or unix:///PATH")
    return match[1].strip("[]"), int(match[2])


class Statsd:
    """
    The way to a daemon.

    Args:
        address: as ``split`` reads it.
        prefix: of all names.
        tags: of all figures, as dogstatsd has them: ``env:prod,site``.

    Raises:
        OSError: its host has no address.
    """

    def __init__(self, address: str, prefix: str = "", tags: str = "") -> None:
        where = split(address)
        if isinstance(where, str):
            self.family, self.address = socket.AF_UNIX, where
        else:
            found = socket.getaddrinfo(*where, type=socket.SOCK_DGRAM)[0]
            self.family, self.address = found[0], found[4]  # type: ignore[assignment]
        self.prefix = f"{prefix.rstrip('.')}." if prefix.strip(".") else ""
        self.tags = f"|#{tags}" if tags else ""
        self.answered: deque[tuple[int, float]] = deque()
        self.lines: deque[str] = deque()
        self.sock: socket.socket | None = None
        self.due_at = 0.0
        os.register_at_fork(after_in_child=partial(_forget, weakref.ref(self)))
        atexit.register(self.send)  # also run at the end of each worker

    def forget(self) -> None:
        """In a process just forked: what waits here, its master sends."""
        self.answered.clear()
        self.lines.clear()
        self.close()

    # --- Figures ----------------------------------------------------------------

    def request(self, status: int, seconds: float) -> None:
        """Count a request that was answered. Hot: from any thread."""
        self.answered.append((status, seconds))
        if len(self.answered) >= ENOUGH:
            self.send()

    def increment(self, name: str, value: float, rate: float = 1.0) -> None:
        """Add to a counter."""
        self.put(f"{name}:{value}|c|@{rate}")

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""
        self.put(f"{name}:{value}|g")

    def histogram(self, name: str, value: float) -> None:
        """Tell one value of a distribution."""
        self.put(f"{name}:{value}|h")

    def timer(self, name: str, value: float) -> None:
        """Tell one length of time, in milliseconds."""
        self.put(f"{name}:{value}|ms")

    def put(self, line: str) -> None:
        """Keep a figure until it is time."""
        self.lines.append(line)
        if len(self.lines) >= ENOUGH:
            self.send()

    # --- Sending ------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Send what there is, if it is time."""
        if now >= self.due_at:
            self.due_at = now + EVERY
            if self.answered or self.lines:
                self.send()

    def send(self) -> None:
        """Send what there is; each figure is taken by one thread."""
        statuses: Counter[int] = Counter()
        lines: list[str] = []
        while self.answered:
            try:
                status, seconds = self.answered.popleft()
            except IndexError:  # another thread was faster
                break
            statuses[status] += 1
            lines.append(f"gunicorn.request.duration:{seconds * 1000:.3f}|ms")
        if statuses:
            lines.append(f"gunicorn.requests:{statuses.total()}|c|@1.0")
        for status, count in statuses.items():
            lines.append(f"gunicorn.request.status.{status}:{count}|c|@1.0")
        while self.lines:
            try:
                lines.append(self.lines.popleft())
            except IndexError:
                break
        self.send_lines([f"{self.prefix}{line}{self.tags}" for line in lines])

    def send_lines(self, lines: list[str]) -> None:
        """Send figures, as many in a datagram as fit."""
        batch: list[bytes] = []
        size = 0
        for line in lines:
            data = line.encode("utf-8", "replace")
            if batch and size + len(data) + 1 > DATAGRAM:
                self.send_datagram(b"\n".join(batch))
                batch, size = [], 0
            batch.append(data)
            size += len(data) + 1
        if batch:
            self.send_datagram(b"\n".join(batch))

    def send_datagram(self, data: bytes) -> None:
        """Send one, or lose it; who is gone is looked for again by the next."""
        try:
            sock = self.sock  # which another thread may close meanwhile
            if sock is None:
                make = unpatched("socket", "socket")  # gevent's would wait
                sock = self.sock = make(self.family, socket.SOCK_DGRAM)
                sock.setblocking(False)
                sock.connect(self.address)
            sock.send(data)
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def end(self) -> None:
        """Send what there is, for the last time."""
        self.send()
        self.close()
        atexit.unregister(self.send)

    def close(self) -> None:
        """Let go of the socket."""
        sock, self.sock = self.sock, None
        if sock is not None:
            sock.close()


def _forget(reference: "weakref.ref[Statsd]") -> None:
    """Handlers of forks stay for ever; they keep none that a reload has replaced."""
    statsd = reference()
    if statsd is not None:
        statsd.forget()
