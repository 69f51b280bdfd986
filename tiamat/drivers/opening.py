"""
The opening of a connection: between ``accept`` and its first byte.

There is one only where something has to be known before a connection can be served:
a PROXY header, or whether that is TLS. It looks at the first bytes without taking
them, takes those of the header, and goes on with a socket that nobody has read from.

What has been taken is kept, so a header that comes in pieces leaves the socket with
nothing to read: a poller that goes by levels would spin on bytes that are only
looked at. SO_RCVLOWAT would not help on Unix sockets.
"""

import socket
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from tiamat.gateways.faults import Log
from tiamat.protocol.errors import ProtocolError

if TYPE_CHECKING:  # a plain server loads none of it
    from tiamat.protocol.preface import Preface
    from tiamat.protocol.proxy import ProxyHeader

_LOOK: Final = 1024
_QUIET: Final = 60.0
"""Seconds between two lines in the log about connections that were refused."""

Address: TypeAlias = Any
Base: TypeAlias = dict[str, Any]
Behind: TypeAlias = "Callable[[Base, ProxyHeader], Base]"
"""Makes of what environs or scopes have in common the same for one connection."""


class Opener:
    """
    What the openings of a worker have in common.

    Args:
        log: Who hears of connections that are refused.
        timeout: Seconds that an opening may take.
        make: A new preface for each of them; called with whether it may begin TLS.
        admits: Whether a peer may open one at all, by its address; each with the name
            of its setting, for the log.
        behind: Makes the base of a connection with a PROXY header.

    Attributes:
        plain: Takes over who speaks plain HTTP where there is TLS; None where there
            is none.
    """

    def __init__(
        self,
        log: Log,
        timeout: float,
        make: "Callable[[bool], Preface]",
        *,
        admits: Sequence[tuple[str, Callable[[str], bool]]] = (),
        behind: Behind,
    ) -> None:
        self.timeout = timeout
        self.make = make
        self.admits = admits
        self.behind = behind
        self.plain: Callable[[Owner, Opening], object] | None = None
        self._log = log
        self._refused = 0
        self._quiet_until = 0.0

    def refused(self, address: Address, why: object) -> None:
        """Log that a connection was refused; now and then, for it may be a flood."""
        self._refused += 1
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET
            count, self._refused = self._refused, 0
            self._log.warning(
                "connections refused: %d, this one from %s: %s",
                count, host_of(address) or "a Unix socket", why,
            )  # fmt: skip


class Opening:
    """
    One accepted socket that is not served yet.

    Args:
        owner: The loop, which waits for it and goes on with it.
        opener: What it has in common with others.
        secure: Whether TLS is spoken on its listener.

    Attributes:
        sock: It doesn't block.
        address: Of the peer, or the client that a header names.
        base: What environs or scopes have in common; behind a header, on this
            connection only.
        preface: What is known.
        deadline: Point on the monotonic clock at which our patience ends.
        over: It is closed, or a connection by now.
    """

    __slots__ = (
        "_owner", "address", "base", "deadline", "fileno", "opener", "over",
        "preface", "sock",
    )  # fmt: skip

    def __init__(
        self,
        owner: "Owner",
        opener: Opener,
        sock: socket.socket,
        address: Address,
        base: Base,
        *,
        secure: bool = False,
    ) -> None:
        self._owner = owner
        self.opener = opener
        self.sock = sock
        self.fileno = sock.fileno()
        self.address = address
        self.base = base
        self.preface = opener.make(secure)
        self.deadline = time.monotonic() + opener.timeout
        self.over = False

    def begin(self) -> None:
        """Look whether enough is here already; else have the loop wait for it."""
        for setting, admits in self.opener.admits:
            if not admits(host_of(self.address)):
                self.opener.refused(self.address, f"it is none of {setting}")
                self.over = True
                self.sock.close()
                return
        self.look()
        if not self.over:
            self._owner.wait_for(self)

    def look(self) -> None:
        """Something came: go on when it is enough, and close what is none of ours."""
        try:
            while not self.preface.done:
                data = self.sock.recv(_LOOK, socket.MSG_PEEK)
                if not data:
                    self.abort()
                    return
                self._take(self.preface.take(data))
        except BlockingIOError:
            return
        except ProtocolError as error:
            self.opener.refused(self.address, f"{error}; is it set to send a header?")
            self.abort()
            return
        except OSError:
            self.abort()
            return
        self.over = True
        if self.opener.plain is not None and self.preface.speaks_plain:
            self._owner.forget_opening(self)
            self.opener.plain(self._owner, self)
            return
        header = self.preface.header
        if header is not None:
            self.address = header.source or self.address
            self.base = self.opener.behind(self.base, header)
        self._owner.opened(self)

    def _take(self, size: int) -> None:
        """Take bytes off the socket that were seen on it."""
        while size:
            size -= len(self.sock.recv(size))

    @property
    def waits_since(self) -> float:
        """Since when nothing is known of it."""
        return self.deadline - self.opener.timeout

    def sweep(self, now: float) -> None:
        """Close it if its peer kept us waiting too long, and not if we come late."""
        if self.deadline <= now:
            self.look()
            if not self.over:
                self.abort()

    def retire(self, idle_until: float) -> None:
        """The worker drains: it waits less long."""
        self.deadline = min(self.deadline, idle_until)

    def abort(self) -> None:
        """Close now."""
        self.over = True
        self._owner.forget_opening(self)
        self.sock.close()


class Owner(Protocol):
    """The loop, as an opening sees it."""

    def wait_for(self, opening: Opening, /) -> None: ...
    def forget_opening(self, opening: Opening, /) -> None: ...
    def opened(self, opening: Opening, /) -> None: ...


def host_of(address: Address) -> str:
    """The host in an address; a Unix socket has none."""
    return str(address[0]) if isinstance(address, tuple) else ""
