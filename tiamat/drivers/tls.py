"""
TLS under the drivers of a selector loop: a socket that is none.

Theory: bytes go from the socket through a buffer to OpenSSL and back, never from
OpenSSL to the socket itself; so reading needs no writing nor the other way round,
and one ``recv`` takes what is there instead of two calls for each record.

Two rules hold what a poller can't see. What ``recv`` returns is all that has been
decrypted, however much that is; an end that came with it shows as the end of the
socket. And the last byte of what is written counts as sent only when its record is
with the kernel: whoever writes then keeps it, and waits until the socket takes more.
"""

import os
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiamat.drivers.security import Handshake

_RECORD: Final = 16384  # bytes of plain text in the largest one (RFC 8446, 5.1)

# So much is encrypted before it is sent.
_PART: Final = 4 * _RECORD

# What OpenSSL says unasked, such as new keys, may wait for the client up to here.
_UNSENT: Final = 2 * _PART

_ENDED: Final = ConnectionError("the client has said all")


class TLSSocket:
    """
    An accepted socket, as drivers read and write it, over TLS.

    Args:
        sock: The socket itself.
        context: A server's.
        ragged: Whether a client that goes without a word has just ended.

    Attributes:
        opening: Told how the handshake ends; None behind it.
        tls: OpenSSL's connection; None until the first byte.
    """

    __slots__ = (
        "_context", "_end", "_incoming", "_outgoing", "_owed", "_parted", "_ragged",
        "_sock", "_unsent", "opening", "tls",
    )  # fmt: skip

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, *, ragged: bool = True
    ) -> None:
        self._sock = sock
        self._context = context
        self._ragged = ragged
        self._incoming: Any = None
        self._outgoing: Any = None
        self._unsent = b""
        self._owed = 0
        self._parted = False
        self._end: OSError | None = None
        self.tls: Any = None
        self.opening: Handshake | None = None

    # Reading

    def recv(self, size: int, flags: int = 0) -> bytes:
        """
        What has come, decrypted: all of it, so perhaps a record more than *size*.

        Raises:
            BlockingIOError: Nothing whole is here.
            OSError: The connection has failed.

        Hot: once per request.
        """
        if self.opening is not None:
            self._shake_hands(size, self.opening)
            if data := self._read():
                return data
        while self._end is None:
            received = self._sock.recv(size)
            if received:
                self._incoming.write(received)
            else:
                self._incoming.write_eof()
            if data := self._read():
                return data
        if self._end is not _ENDED:
            raise self._end
        return b""

    def _read(self) -> bytes:
        """All that can be decrypted; nothing if there is none, or if it has ended."""
        tls, incoming = self.tls, self._incoming
        parts: list[bytes] = []
        try:
            while data := tls.read(_RECORD):
                if not (incoming.pending or tls.pending()):
                    if not parts:
                        return data  # type: ignore[no-any-return]
                    parts.append(data)
                    break
                parts.append(data)
            else:
                self._end = _ENDED
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._end = _ENDED
        except ssl.SSLEOFError as error:
            # It went without a word. Where a body ends its framing says, so nobody
            # takes a part for the whole.
            self._end = _ENDED if self._ragged else error
        except OSError as error:
            self._end = error
        self._answer()
        if parts and self._end is not None:
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RD)  # so that the poller tells of it
        return b"".join(parts)

    def _answer(self) -> None:
        """Send what OpenSSL has to say by itself: an alert, new keys."""
        if self._outgoing.pending:
            with suppress(OSError):
                self._flush()
            if len(self._unsent) > _UNSENT:
                self._end = ConnectionError("the client asks and does not read")

    # The handshake

    def _shake_hands(self, size: int, opening: "Handshake") -> None:
        """
        Go on with the handshake; returns when it is done, or the client has gone.

        Raises:
            BlockingIOError: There is more of it to come.
            OSError: It has failed.
        """
        if not self.flush():
            raise BlockingIOError
        received = self._sock.recv(size)
        if not received:
            self._end = _ENDED
        if self.tls is None:
            self._begin()
        self._incoming.write(received)
        if self._end is not None:
            return
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            opening.goes_on(self.flush())
            raise BlockingIOError from None
        except OSError as error:
            self._answer()
            opening.failed(error)
            raise
        if not self.flush():
            opening.goes_on(False)
        self.opening = None
        opening.done(self.tls)

    def _begin(self) -> None:
        """The first bytes are here: who says none costs no more than a socket."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self._context.wrap_bio(
            self._incoming, self._outgoing, server_side=True
        )

    # Writing

    def send(self, data: "bytes | memoryview") -> int:
        """
        Encrypt and send; how many bytes were taken.

        Raises:
            BlockingIOError: None.
            OSError: The connection has failed.

        Hot: once per response.
        """
        if self._unsent and not self._flush():
            raise BlockingIOError
        size = len(data)
        done, self._owed = self._owed, 0
        view = memoryview(data) if done or size > _RECORD else data
        write = self.tls.write
        while done < size:
            until = min(size, done + _PART)
            while done < until:
                done += write(view[done:until] if done else view[:until])
            if not self._flush():
                self._owed = 1
                if done == 1:
                    raise BlockingIOError
                return done - 1
        return done

    def sendmsg(self, buffers: "Sequence[bytes]") -> int:
        """The same for several pieces, which share their records."""
        return self.send(b"".join(buffers))

    def send_part(self, fileno: int, offset: int, count: int) -> int:
        """Send a part of a file: it has to be read, since the kernel can't encrypt."""
        data = os.pread(fileno, min(count, _PART), offset)
        return self.send(data) if data else 0

    def flush(self) -> bool:
        """Send what is encrypted; whether the socket has taken all."""
        return self.tls is None or self._flush()

    def _flush(self) -> bool:
        data = self._outgoing.read()
        if self._unsent:
            data = self._unsent + data
        elif not data:
            return True
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        if sent == len(data):
            self._unsent = b""
            return True
        self._unsent = data[sent:]
        return False

    # Ending

    def farewell(self) -> bool:
        """
        Say that nothing follows, so that nobody takes a part for the whole.

        Returns:
            Whether that is with the kernel, or nobody is left to hear it.
        """
        if self.tls is None or self.opening is not None:
            return True
        if not self._parted:
            self._parted = True
            with suppress(OSError):
                self.tls.unwrap()  # it wants the client's word, too; we don't wait
        try:
            return self._flush()
        except OSError:
            return True

    def shutdown(self, how: int) -> None:
        """As a socket's; who ends the sending side says so."""
        if how == socket.SHUT_WR:
            self.farewell()
        self._sock.shutdown(how)

    def close(self) -> None:
        """Close at once, without a word: also in a process that was forked."""
        self.opening = None
        self._sock.close()

    def release(self, kind: "Callable[..., socket.socket] | None" = None) -> Any:
        """
        Leave it to an application, which may block on it.

        Args:
            kind: Makes the socket of a descriptor, if it is to be of another class.
        """
        from tiamat.drivers.tls_released import ReleasedTLS

        if kind is not None:
            self._sock = kind(fileno=self._sock.detach())
        self._sock.setblocking(True)
        return ReleasedTLS(self)

    # As sockets have it

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)
