"""Plain clients: connections that wait, and one that watches the clock."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import statistics
import time

PROBES = 500
PROBE_PAUSE = 0.004  # seconds between two requests of the normal client
PROBE_TIMEOUT = 5.0
TIMEOUTS_ALLOWED = 2


class IdleConnections:
    """Connections that asked once and now wait, as a context manager."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connections: list[http.client.HTTPConnection] = []

    def __enter__(self) -> IdleConnections:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for connection in self._connections:
            connection.close()

    def open(self, count: int) -> None:
        """Open *count* more; stop at the first that is not answered."""
        for _ in range(count):
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
            self._connections.append(connection)
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                return

    def alive(self) -> int:
        """Count those that the server has kept open."""
        return sum(is_open(connection.sock) for connection in self._connections)


def is_open(sock: socket.socket | None) -> bool:
    """Tell whether the peer has left a silent connection open."""
    if sock is None:  # the response said Connection: close
        return False
    sock.setblocking(False)
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def connect(port: int, timeout: float, *, tls: bool) -> http.client.HTTPConnection:
    """Make a client of a server, whatever its certificate is."""
    if not tls:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(
        "127.0.0.1", port, timeout=timeout, context=context
    )


def warm_up(
    port: int, method: str, size: int, count: int = 300, *, tls: bool = False
) -> None:
    """Ask one after the other until the interpreter has specialised its code."""
    connection = connect(port, 5, tls=tls)
    with contextlib.closing(connection):
        for _ in range(count):
            connection.request(method, "/", body=b"x" * size if size else None)
            connection.getresponse().read()


def probe(port: int) -> tuple[float, float]:
    """
    Ask one after the other, as a normal client does.

    Returns:
        Median and 99th percentile of the answer times, in milliseconds. A
        request that times out counts as its timeout; after some of them the
        probe gives up, so that it ends.
    """
    times: list[float] = []
    timeouts = 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT)
    with contextlib.closing(connection):
        while len(times) < PROBES and timeouts < TIMEOUTS_ALLOWED:
            begin = time.perf_counter()
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                connection.close()
                timeouts += 1
                times.append(PROBE_TIMEOUT * 1000)
                continue
            times.append((time.perf_counter() - begin) * 1000)
            time.sleep(PROBE_PAUSE)
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.99)]
