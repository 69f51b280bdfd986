"""
How many connections each peer has, for ``limit_connections_per_ip``.

Counted by the address that a connection is adopted with, which is the client's behind
a proxy that says so before the first byte. IPv6 counts by networks of 64 bits: whoever
has an address has all of them. Peers on Unix sockets have none, and are not counted.
"""

import ipaddress
from collections.abc import Callable, Hashable
from typing import Any, Final

from tiamat.gateways.faults import Log
from tiamat.system.scoreboard import TURNED_AWAY
from tiamat.system.unpatched import unpatched

_QUIET: Final = 60.0
"""Seconds between two lines in the log, for it may be a flood."""


class Crowd:
    """
    Who has how many connections.

    Args:
        limit: The most of one peer.
        counts: Of the worker's row, for those that are turned away.
        log: Hears of them now and then.
        clock: The monotonic one.
    """

    def __init__(
        self,
        limit: int,
        counts: "memoryview[int]",
        log: Log,
        clock: Callable[[], float],
    ) -> None:
        self._limit = limit
        self._counts = counts
        self._log = log
        self._clock = clock
        self._places: dict[Hashable, str] = {}
        self._open: dict[str, int] = {}
        self._refused = 0
        self._quiet_until = 0.0
        self._lock = unpatched("_thread", "allocate_lock")()

    def admits(self, who: Hashable, address: Any) -> bool:
        """
        Count one more connection, or don't, since its peer has enough.

        Args:
            who: What ``leaves`` will be told.
            address: As the system names a peer.
        """
        if not isinstance(address, tuple):
            return True
        peer = counted_as(address[0])
        with self._lock:
            count = self._open.get(peer, 0)
            if count < self._limit:
                self._places[who] = peer
                self._open[peer] = count + 1
                return True
        self._counts[TURNED_AWAY] += 1
        self._tell(peer)
        return False

    def leaves(self, who: Hashable) -> None:
        """A connection closes; who was not admitted is none. From any thread."""
        with self._lock:
            peer = self._places.pop(who, None)
            if peer is None:
                return
            if self._open[peer] == 1:
                del self._open[peer]
            else:
                self._open[peer] -= 1

    def _tell(self, peer: str) -> None:
        self._refused += 1
        now = self._clock()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET
            count, self._refused = self._refused, 0
            self._log.warning(
                "limit_connections_per_ip=%d: %d closed at once, this one of %s",
                self._limit, count, peer,
            )  # fmt: skip


def counted_as(host: str) -> str:
    """Who an address is counted as: itself, or its network."""
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))
