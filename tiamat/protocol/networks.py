"""Addresses that something is allowed to, or believed of: lists of networks."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Final

_CACHED: Final = 1024


class Networks:
    """
    A list of addresses and networks, asked for one address at a time.

    Args:
        texts: Addresses and networks in CIDR form; ``*`` is everybody.

    Raises:
        ValueError: One is no network.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._everybody = "*" in texts
        self._networks = [ip_network(text) for text in texts if text != "*"]
        # A peer on a Unix socket has no address; the file's mode admits it.
        self._known: dict[str, bool] = {"": True}

    def has(self, peer: str) -> bool:
        """
        Whether the list has the peer with this address.

        Hot: once per request of whom it matters; who was seen before is looked up.
        """
        known = self._known.get(peer)
        if known is None:
            known = self._everybody or self._look(peer)
            if len(self._known) < _CACHED:
                self._known[peer] = known
        return known

    def _look(self, peer: str) -> bool:
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._networks)
