"""
Whom to believe about the client: what a trusted proxy says of the scheme.

Only who is named by ``forwarded_allow_ips`` is believed: everybody else can
write these fields, too.
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Final

from tiamat.protocol.errors import ProtocolError

_CACHED: Final = 1024


class Trust:
    """
    The proxies that are believed, and by which fields they say that it was https.

    Args:
        networks: Addresses and networks in CIDR form; ``*`` is everybody.
        secure_headers: Field names, and the value that means https.
        forwarders: Names with an underscore that such a proxy may set.

    Attributes:
        forwarders: The same, in lower case.
        names: Of all fields that are believed, or not, in lower case.

    Raises:
        ValueError: One is no network.
    """

    def __init__(
        self,
        networks: Sequence[str],
        secure_headers: Mapping[str, str],
        forwarders: Sequence[str] = (),
    ) -> None:
        self._everybody = "*" in networks
        self._networks = [ip_network(text) for text in networks if text != "*"]
        self._secure = [
            (name.lower().replace("_", "-").encode("latin-1"), value.encode("latin-1"))
            for name, value in secure_headers.items()
        ]
        self.forwarders = frozenset(
            name.lower().encode("latin-1") for name in forwarders if "_" in name
        )
        self.names = self.forwarders.union(name for name, _ in self._secure)
        # A peer on a Unix socket has no address; the file's mode admits it.
        self._known: dict[str, bool] = {"": True}

    def trusted(self, peer: str) -> bool:
        """
        Whether the peer with this address is believed.

        Hot: once per request; a peer that was seen before is looked up.
        """
        known = self._known.get(peer)
        if known is None:
            address = ip_address(peer.partition("%")[0])
            mapped = getattr(address, "ipv4_mapped", None) or address
            known = self._everybody or any(mapped in net for net in self._networks)
            if len(self._known) < _CACHED:
                self._known[peer] = known
        return known

    def scheme(self, fields: Mapping[bytes, bytes]) -> str | None:
        """
        What a believed peer says the scheme was; ``None`` if it doesn't.

        Raises:
            ProtocolError: Two of its fields contradict each other.

        Hot: once per request of a believed peer.
        """
        found: str | None = None
        for name, secure in self._secure:
            value = fields.get(name)
            if value is not None:
                scheme = "https" if value == secure else "http"
                if found is not None and found != scheme:
                    raise ProtocolError("contradictory scheme headers of a proxy")
                found = scheme
        return found
