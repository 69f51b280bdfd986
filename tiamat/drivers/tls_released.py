"""
TLS of a connection that an application has taken over: a socket that blocks.

Libraries that speak WebSocket from WSGI read in one thread and write in another, so
OpenSSL's side has a lock; the socket itself has none, since whoever reads waits there.
"""

import threading
from typing import Any, Final

from tiamat.drivers.tls import TLSSocket

_READ_SIZE: Final = 16384


class ReleasedTLS(TLSSocket):
    """
    As ``ssl.SSLSocket``: ``pending`` tells what a poller can't.

    Args:
        taken: The connection; nobody else reads or writes it any more.
    """

    __slots__ = ("_lock", "_rest", "_writing")

    def __init__(self, taken: TLSSocket) -> None:
        super().__init__(taken._sock, taken._context, ragged=taken._ragged)
        self._incoming, self._outgoing = taken._incoming, taken._outgoing
        self._end, self.tls = taken._end, taken.tls
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._rest = b""

    def __getattr__(self, name: str) -> Any:
        """What else sockets have: names, options, timeouts."""
        return getattr(self._sock, name)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """At most *size* bytes, decrypted; flags are not for TLS."""
        if flags:
            raise ValueError("TLS has no flags for recv")
        while not self._rest and self._end is None:
            with self._lock:
                self._rest = self._read()
            if self._rest or self._end is not None:
                break
            received = self._sock.recv(_READ_SIZE)
            with self._lock:
                if received:
                    self._incoming.write(received)
                else:
                    self._incoming.write_eof()
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """The same, into a buffer."""
        with memoryview(buffer).cast("B") as view:
            data = self.recv(size or len(view), flags)
            view[: len(data)] = data
        return len(data)

    def pending(self) -> int:
        """How many bytes are here that no poller tells of."""
        return len(self._rest)

    def _answer(self) -> None:
        """What OpenSSL has to say goes out with the next that is written."""

    def sendall(self, data: Any) -> None:
        """Encrypt and send everything."""
        view = memoryview(data).cast("B")
        with self._writing:
            while view:
                with self._lock:
                    view = view[self.tls.write(view) :]
                    encrypted = self._outgoing.read()
                self._sock.sendall(encrypted)

    def send(self, data: Any) -> int:
        """The same; all is taken."""
        self.sendall(data)
        return len(data)

    def farewell(self) -> bool:
        """Say that nothing follows."""
        with self._writing, self._lock:
            return super().farewell()

    def close(self) -> None:
        """Say so, and close."""
        if self._sock.fileno() >= 0:
            self._sock.settimeout(0.0)
            self.farewell()
        self._sock.close()
