"""
``environ["gunicorn.socket"]``: the connection itself, for who can do more with it.

Libraries that speak WebSocket from WSGI look for it, and speak from then on alone.
"""

from collections.abc import Callable
from typing import Any, Final

from tiamat.protocol.response import Response
from tiamat.types import Environ

NAME: Final = "gunicorn.socket"

_PEEK: Final = 2  # socket.MSG_PEEK


class ApplicationSocket:
    """
    A socket that is the application's from its first use on.

    What its application answers then goes nowhere, and the connection closes
    behind it. As long as it isn't used, nothing has happened.

    Args:
        detach: Gives the socket.
        early: Gives what the client has sent behind its head already. ``recv`` begins
            with that; who waits in ``select`` first waits for what comes later.
    """

    def __init__(
        self, detach: Callable[[], Any], early: Callable[[], bytes] = bytes
    ) -> None:
        self._detach = detach
        self._take_early = early
        self._early = b""
        self._sock: Any = None

    def __getattr__(self, name: str) -> Any:
        """Whatever sockets have: the first look takes the connection."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._take(), name)

    def _take(self) -> Any:
        if self._sock is None:
            self._early = self._take_early()
            self._sock = self._detach()
        return self._sock

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As a socket's."""
        sock = self._take()
        early = self._early
        if not early:
            data: bytes = sock.recv(size, flags)
            return data
        if not flags & _PEEK:
            self._early = early[size:]
        return early[:size]

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """As a socket's."""
        sock = self._take()
        if not self._early:
            count: int = sock.recv_into(buffer, size, flags)
            return count
        with memoryview(buffer).cast("B") as view:
            data = self.recv(size or len(view), flags)
            view[: len(data)] = data
        return len(data)

    @property
    def used(self) -> bool:
        """Whether the connection is the application's."""
        return self._sock is not None


def offer(environ: Environ, transport: object) -> None:
    """
    Put the socket into the environ of a request that wants to be something else.

    If its driver can let go of a connection: it has ``detach``, which gives the
    blocking socket, and from then on it writes nothing to it.
    """
    detach = getattr(transport, "detach", None)
    if detach is not None:
        environ[NAME] = ApplicationSocket(detach, getattr(transport, "early", bytes))


def taken(environ: Environ, response: Response) -> bool:
    """Whether the application took the connection: then there is no response."""
    sock = environ.get(NAME)
    if not isinstance(sock, ApplicationSocket) or not sock.used:
        return False
    response.status = 101  # for the access log; nobody knows what was said
    response.sent = 0
    response.excess = 0
    response.keep_alive = False
    response.faulty = False
    return True
