"""
Whom to believe about the client: what a trusted proxy says of the scheme.

Only who is named by ``forwarded_allow_ips`` is believed: everybody else can
write these fields, too.
"""

from collections.abc import Mapping, Sequence

from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.networks import Networks


class Trust:
    """
    The proxies that are believed, and by which fields they say that it was https.

    Args:
        networks: Addresses and networks in CIDR form; ``*`` is everybody.
        secure_headers: Field names, and the value that means https.
        forwarders: Names with an underscore that such a proxy may set.

    Attributes:
        trusted: Whether the peer with this address is believed. Hot.
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
        self.trusted = Networks(networks).has
        self._secure = [
            (name.lower().replace("_", "-").encode("latin-1"), value.encode("latin-1"))
            for name, value in secure_headers.items()
        ]
        self.forwarders = frozenset(
            name.lower().encode("latin-1") for name in forwarders if "_" in name
        )
        self.names = self.forwarders.union(name for name, _ in self._secure)

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
