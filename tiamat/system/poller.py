"""
Waiting for many descriptors at once: epoll, and what stands in for it elsewhere.

The numbers of ``poll`` are those of ``epoll`` (epoll_ctl(2)), so masks are the same.
"""

import contextlib
import select
from typing import Any, Final, Protocol

from tiamat.system.unpatched import unpatched

IN: Final = select.POLLIN
OUT: Final = select.POLLOUT

# Both directions are closed. A peer that has only ended its sending side shows
# as IN.
GONE: Final = select.POLLERR | select.POLLHUP

# Of several processes that wait for one listener only some are woken. 0 where the
# system can't: then all are, and all but one find nothing to accept.
EXCLUSIVE: Final[int] = getattr(select, "EPOLLEXCLUSIVE", 0)

_POLL_MASK: Final = 0xFFFF


class Poller(Protocol):
    """What ``select.epoll`` does for us."""

    def register(self, fd: int, mask: int, /) -> None: ...
    def modify(self, fd: int, mask: int, /) -> None: ...
    def unregister(self, fd: int, /) -> None: ...
    def poll(self, timeout: float, limit: int, /) -> list[tuple[int, int]]: ...
    def close(self) -> None: ...


class PollPoller:
    """
    poll(2), with the face of epoll.

    For macOS, where we are developed with and not run: it looks at every
    descriptor each time.
    """

    def __init__(self) -> None:
        self._poll = unpatched("select", "poll")()

    def register(self, fd: int, mask: int, /) -> None:
        """Wait for this from now on."""
        self._poll.register(fd, mask & _POLL_MASK)

    def modify(self, fd: int, mask: int, /) -> None:
        """Wait for this instead."""
        self._poll.modify(fd, mask & _POLL_MASK)

    def unregister(self, fd: int, /) -> None:
        """Wait for it no more."""
        with contextlib.suppress(KeyError):
            self._poll.unregister(fd)

    def poll(self, timeout: float, _limit: int, /) -> list[tuple[int, int]]:
        """
        Which descriptors are ready for what.

        Args:
            timeout: In seconds.
        """
        events = self._poll.poll(timeout * 1000)
        # epoll forgets a descriptor that is closed; here it has to be told.
        closed = [fd for fd, mask in events if mask & select.POLLNVAL]
        for fd in closed:
            self.unregister(fd)
        return (
            [event for event in events if event[0] not in closed] if closed else events
        )

    def close(self) -> None:
        """Wait for nothing any more."""
        self._poll = unpatched("select", "poll")()


def make_poller() -> Poller:
    """The best that there is here; gevent hides epoll, though it works as well."""
    try:
        epoll: Any = unpatched("select", "epoll")
    except AttributeError:
        return PollPoller()
    poller: Poller = epoll()
    return poller
