"""Listeners of a loop: when connections are taken from them, and when they aren't."""

import errno
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from tiamat.drivers.opening import Opening
from tiamat.drivers.service import WSGIService
from tiamat.system import backlog
from tiamat.system.poller import EXCLUSIVE, IN, Poller
from tiamat.system.scoreboard import QUEUED
from tiamat.system.sockets import EXHAUSTED
from tiamat.system.unpatched import unpatched
from tiamat.types import Environ

# accept() can't go on for want of something that others may give back. nginx
# pauses 500 ms.
_ACCEPT_PAUSE: Final = 0.5

_Address = Any  # what the system calls a peer: a tuple, or a path


class Row(Protocol):
    """This process's place in the scoreboard."""

    counts: "memoryview[int]"
    times: "memoryview[float]"
    tally: "memoryview[int]"

    @property
    def note(self) -> Callable[[float, float, bytes], object]: ...

    def beat(self, now: float, /) -> None: ...
    def set_idle(self, idle: bool, /) -> None: ...
    def end(self) -> None: ...


class Acceptor:
    """
    The half of a loop that takes new connections.

    Attributes:
        accepting: New connections are taken.
        paused: Not for a moment, since nobody could serve them.
        probes: The next connection is asked how long it has waited.
        begin: What becomes of an accepted socket: called with it, the peer's
            address, and what the environs on its listener have in common.
        openings: Sockets of which more has to be known before that.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        service: WSGIService,
        row: Row,
        poller: Poller,
    ) -> None:
        self.service = service
        self.row = row
        self.accepting = False
        self.paused = False
        self.probes = True
        self.now = 0.0
        self.begin: Callable[[socket.socket, _Address, Environ], object] = self.adopt
        self.openings: set[Opening] = set()
        self._poller = poller
        self._listeners = {sock.fileno(): sock for sock in listeners}
        self._bases = {sock.fileno(): self._base(sock) for sock in listeners}
        self._resume_at = 0.0
        # Not what a patched process makes of it: that would wait in its own way.
        self._make_socket: type[socket.socket] = unpatched("socket", "socket")

    def _secures(self, listener: socket.socket) -> bool:
        security = self.service.security
        return security is not None and security.secures(listener)

    def _base(self, sock: socket.socket) -> Environ:
        name = sock.getsockname()
        host, port = name[:2] if isinstance(name, tuple) else ("localhost", "")
        secure = self._secures(sock)
        scheme = "https" if secure else "http"
        base = self.service.environs.base(host, str(port), scheme)
        if secure:
            base["HTTPS"] = "on"
        return base

    # What a loop does

    @property
    def connections(self) -> int:
        """How many connections are open."""
        raise NotImplementedError

    def adopt(self, sock: socket.socket, address: _Address, base: Environ) -> None:
        """Serve an accepted socket, which does not block."""
        raise NotImplementedError

    def evict(self, count: int) -> None:
        """Make room: close so many connections that nobody misses."""
        raise NotImplementedError

    def watch_wakeup(self, fileno: int, call: Callable[[], object]) -> None:
        """Call *call* in the turn in which *fileno* becomes readable."""
        raise NotImplementedError

    def forget_wakeup(self, fileno: int) -> None:
        """Look at it no more."""
        raise NotImplementedError

    # Accepting

    def accept(self) -> None:
        """Begin to take connections."""
        self._resume_at = 0.0
        self.accepting = True
        self.paused = False
        for fileno in self._listeners:
            self._poller.register(fileno, IN | EXCLUSIVE)

    def accept_first(self, events: list[tuple[int, int]]) -> None:
        """Take one connection from each listener that has some."""
        listeners = self._listeners
        for fileno, _ in events:
            if fileno in listeners:
                self.accept_one(fileno)

    def accept_one(self, fileno: int) -> bool:
        """Take one connection; False if there was none."""
        listener = self._listeners.get(fileno)
        if listener is None:
            return False  # another thread has closed it
        try:
            # socket.accept() would make a socket of the patched kind.
            number, address = listener._accept()  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno in EXHAUSTED:
                self.pause_for(error)
            return False
        sock = self._make_socket(listener.family, listener.type, listener.proto, number)
        sock.setblocking(False)
        if self.probes:
            self.probes = False
            self.row.times[QUEUED] = backlog.waited(sock)
        limit = self.service.limit_connections
        if limit and self.connections >= limit:
            self.evict(limit // 100)
        opener = self.service.opener
        base = self._bases[fileno]
        try:
            if opener is None:
                self.begin(sock, address, base)
            else:
                secure = "HTTPS" in base
                Opening(self, opener, sock, address, base, secure=secure).begin()
        except Exception as error:
            self._failed(sock, error)
        return True

    def _failed(self, sock: socket.socket, error: Exception) -> None:
        self.service.log.error("can't serve a connection", exc_info=error)
        sock.close()

    def accept_all(self, listeners: Iterable[socket.socket]) -> None:
        """Take every connection that the kernel still holds for these listeners."""
        for listener in listeners:
            fileno = listener.fileno()
            while self.accept_one(fileno):
                self.row.beat(self.now)

    # Openings

    def wait_for(self, opening: Opening) -> None:
        """Have it look again when more has come."""
        self.openings.add(opening)
        self.watch_wakeup(opening.fileno, opening.look)

    def forget_opening(self, opening: Opening) -> None:
        """It is over."""
        if opening in self.openings:
            self.openings.discard(opening)
            self.forget_wakeup(opening.fileno)

    def opened(self, opening: Opening) -> None:
        """Enough is known: serve it."""
        self.forget_opening(opening)
        try:
            self.begin(opening.sock, opening.address, opening.base)
        except Exception as error:
            self._failed(opening.sock, error)

    def probe_again(self) -> None:
        """A second is over: ask the next connection again how long it has waited."""
        if self.probes:  # none came
            self.row.times[QUEUED] = 0.0
        self.probes = True

    # Not accepting

    def pause_for(self, error: OSError) -> None:
        """Out of descriptors or memory: leave it to others for a moment."""
        if not self.accepting:
            return
        self.service.log.warning("accept: %s, pausing", error.strerror)
        if error.errno == errno.EMFILE:
            self.evict(self.connections // 10)
        self._leave_listeners()
        self.accepting = False
        self._resume_at = self.now + _ACCEPT_PAUSE

    def resume_accepting(self) -> None:
        """Go on if it was paused for want of something, and long enough."""
        if self._resume_at and self.now >= self._resume_at:
            self.accept()

    def pause(self) -> None:
        """Nobody could serve them: leave new connections to other workers."""
        if self.accepting and not self.paused:
            self.paused = True
            self._leave_listeners()

    def go_on(self) -> None:
        """Somebody can serve them again: take new connections."""
        if self.paused:
            self.paused = False
            if self.accepting:
                for fileno in self._listeners:
                    with suppress(OSError):  # another thread has closed it
                        self._poller.register(fileno, IN | EXCLUSIVE)

    def _leave_listeners(self) -> None:
        for fileno in self._listeners:
            with suppress(OSError):  # another thread was first
                self._poller.unregister(fileno)

    def close_listeners(self) -> None:
        """Take no more connections. From any thread."""
        if self.accepting:
            self._leave_listeners()
        self.accepting = False
        listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            listener.close()
        self._resume_at = 0.0


def peer_of(address: _Address) -> tuple[str, str]:
    """Host and port of a peer, as environs say it; a Unix socket has none."""
    return (address[0], str(address[1])) if isinstance(address, tuple) else ("", "")
