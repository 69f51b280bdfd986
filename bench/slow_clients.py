"""
Slow readers and senders: ``python -m bench.slow_clients PORT PATH COUNT KIND``.

The senders send a head (KIND is head) or a body (upload), the latter at a byte per
second.

A process of its own, so that it does not slow the normal client down. Prints a
line when all have arrived, stays until its standard input is closed, and then
prints how many the server still had.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time

from bench.client import is_open

RATE = 20  # of each kind per second
TICK = 1 / RATE
READ_SIZE = 4096  # per quarter of a second: 16 kB/s
RECEIVE_BUFFER = 16 * 1024
UPLOAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\n"
UPLOAD += b"u" * 4000
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"s" * 4000


def connect(port: int, first: bytes) -> socket.socket:
    """Connect with a small receive buffer and send what comes first."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    sock.settimeout(2)
    with contextlib.suppress(OSError):
        sock.connect(("127.0.0.1", port))
        sock.sendall(first)
    sock.setblocking(False)
    return sock


def read_some(reader: socket.socket) -> None:
    """Take a little of the response."""
    with contextlib.suppress(OSError):
        reader.recv(READ_SIZE)


def send_some(sender: socket.socket, byte: bytes) -> None:
    """Send one more byte."""
    with contextlib.suppress(OSError):
        sender.send(byte)


def is_reading(reader: socket.socket) -> bool:
    """Tell whether there is more of the response, now or later."""
    try:
        return bool(reader.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False


def wait_for_end(stop: threading.Event) -> None:
    """Set *stop* when standard input is closed."""
    sys.stdin.read()
    stop.set()


def main() -> None:
    """Arrive, be slow until told to stop, and say how it went."""
    port, path = int(sys.argv[1]), sys.argv[2]
    count, kind = int(sys.argv[3]), sys.argv[4]
    said = UPLOAD if kind == "upload" else HEAD
    first = said.find(b"\r\n\r\n") + 4 if kind == "upload" else 10
    pace = 20 if kind == "upload" else 5  # ticks from one byte to the next
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    stop = threading.Event()
    threading.Thread(target=wait_for_end, args=[stop], daemon=True).start()
    readers: list[socket.socket] = []
    senders: list[socket.socket] = []
    said_by: list[int] = []  # bytes, of each sender
    tick = 0
    begin = time.monotonic()
    while not stop.is_set():
        if len(readers) < count:
            readers.append(connect(port, request))
            senders.append(connect(port, said[:first]))
            said_by.append(first)
            if len(readers) == count:
                print("arrived", flush=True)
        # Every fifth reader has its turn: each acts four times a second.
        for index in range(tick % 5, len(readers), 5):
            read_some(readers[index])
        for index in range(tick % pace, len(senders), pace):
            send_some(senders[index], said[said_by[index] :][:1])
            said_by[index] += 1
        tick += 1
        stop.wait(max(0.0, begin + tick * TICK - time.monotonic()))
    print(sum(map(is_reading, readers)), sum(map(is_open, senders)), flush=True)


if __name__ == "__main__":
    main()
