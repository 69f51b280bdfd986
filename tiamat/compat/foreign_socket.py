"""
A listener as gunicorn's workers know it: a socket, with a few names more.

It is a real ``socket.socket``, so event loops, selectors and greenlets take it. And
it tells when somebody begins to accept from it, which is the moment when a worker of
another make serves: applications of asyncio start within its ``run``.
"""

import contextlib
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiamat.system.listener import Listener


class ForeignSocket(socket.socket):
    """
    A listener that its worker owns.

    Args:
        listener: it; the descriptor changes hands.
        conf: the settings, as gunicorn's code sees them.
        log: the logs, likewise.

    Attributes:
        cfg_addr: the address; host and port, or the path of a Unix socket.
        FAMILY: the family, by the name that gunicorn has for it.
        inherited: whether somebody else bound it, who keeps its queue.
        plain: whether it has no TLS though others have.
        before_use: called once, before it is first used to wait or accept.
    """

    before_use: Callable[[], None] | None

    def __init__(self, listener: "Listener", conf: Any, log: Any) -> None:
        theirs = listener.sock
        family, kind, number = theirs.family, theirs.type, theirs.proto
        super().__init__(family, kind, number, theirs.detach())
        self.setblocking(False)
        self.before_use = None
        self.cfg_addr: Any = listener.address
        self.FAMILY = family
        self.inherited = listener.inherited
        self.plain = listener.plain
        self.conf = conf
        self.log = log
        self._text = listener.url_by("https" if conf.is_ssl else "http")
        self._number = super().fileno()
        self._inode = os.fstat(self._number).st_ino

    def __str__(self) -> str:
        return self._text

    @property
    def sock(self) -> "ForeignSocket":
        """gunicorn's object has the socket here; ours is one."""
        return self

    def getsockname(self) -> Any:
        """The address, also when it is closed: requests are answered behind that."""
        return self.cfg_addr

    def get_backlog(self) -> int:
        """How many connections wait: the master knows, its workers don't look."""
        return -1

    def _is_used(self) -> None:
        tell, self.before_use = self.before_use, None
        if tell is not None:
            tell()

    def fileno(self) -> int:
        """The descriptor: somebody is about to wait for it."""
        self._is_used()
        return super().fileno()

    def listen(self, backlog: int = 128, /) -> None:
        """Nothing new: it listens; event loops say so before they accept."""
        self._is_used()
        super().listen(backlog)

    def accept(self) -> tuple[socket.socket, Any]:
        """A connection, and the address of its peer."""
        self._is_used()
        return super().accept()

    def lead_away(self) -> None:
        """
        Accept nothing more, while whoever uses the descriptor goes on as before.

        It is replaced by a socket that nobody connects to: to close it would be an
        error in every loop that waits for it. From any thread.
        """
        with contextlib.suppress(OSError):
            if os.fstat(self._number).st_ino != self._inode:
                return  # closed, and the number is another one's by now
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nobody_s:
                nobody_s.bind("")  # Linux: an abstract name of the kernel's choice
                nobody_s.listen(1)
                nobody_s.setblocking(False)
                os.dup2(nobody_s.fileno(), self._number, inheritable=False)
