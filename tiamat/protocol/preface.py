"""
The first bytes of a connection decide what it is.

They are looked at before anybody owns them: a driver peeks, asks ``take`` how many
belong to us, and takes exactly those. So whatever follows, HTTP, TLS or uwsgi, begins
with its own first byte on a socket that nobody has read from.

There are two steps, each only if it is asked for: a PROXY header, which is taken, and
the byte behind it, which is only looked at. Who serves TLS asks for it (``looks``):
``first`` is then ``TLS_HANDSHAKE``, or somebody speaks plain HTTP to a TLS port.
"""

from collections.abc import Mapping
from typing import Final

from tiamat.protocol.proxy import HeaderReader, ProxyHeader

TLS_HANDSHAKE: Final = 0x16
"""A record of this type begins every connection of TLS (RFC 8446, 5.1)."""


class Preface:
    """
    What is to be known of one connection before it is served.

    Args:
        versions: Of a PROXY header, one of ``proxy.BEGINNINGS``; None expects none.
        looks: Ask for the first byte behind it.

    Attributes:
        header: The PROXY header, once it is complete.
        first: The byte that follows, -1 if it isn't known.
        done: Nothing is left to ask.
    """

    __slots__ = ("_looks", "_reader", "done", "first", "header")

    def __init__(
        self, versions: Mapping[str, bytes] | None, *, looks: bool = False
    ) -> None:
        self.header: ProxyHeader | None = None
        self.first = -1
        self._reader = None if versions is None else HeaderReader(versions)
        self._looks = looks
        self.done = self._reader is None and not looks

    @property
    def speaks_plain(self) -> bool:
        """Whether a method of HTTP begins there: bytes that no TLS begins with."""
        return bytes((max(0, self.first),)).isalpha()

    def take(self, data: bytes) -> int:
        """
        Look at what comes next.

        Args:
            data: At least one byte.

        Returns:
            How many of these bytes are no one else's: to be taken off the socket.

        Raises:
            InvalidProxyHeader, InvalidTLVs: The connection is to be closed.
        """
        size = 0
        if self._reader is not None:
            size = self._reader.take(data)
            if self._reader.header is None:
                return size
            self.header = self._reader.header
            self._reader = None
        if self._looks and size < len(data):
            self.first = data[size]
            self._looks = False
        self.done = not self._looks
        return size
