"""
Whom to believe about the client: what trusted proxies say of who asked, and how.

Only who is named by ``forwarded_allow_ips`` is believed: everybody else can
write these fields, too.

Each proxy adds to the right of what it was sent. So a chain is read from there, as
long as who has added something is trusted; what stands left of the first one who
isn't, anybody may have written.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.forwarded_field import Node, parse_forwarded, parse_node
from tiamat.protocol.headers import VALID_HOSTS
from tiamat.protocol.networks import Networks
from tiamat.protocol.request import Request

Style: TypeAlias = Literal["none", "x-forwarded-for", "x-forwarded", "forwarded"]
"""
Which fields are read besides those that say the scheme.

None; X-Forwarded-For; that with -Host, -Port and -Prefix; or RFC 7239's, which is
then asked for the scheme, too, and no other field.
"""

_FIELDS: Final[Mapping[Style, frozenset[bytes]]] = {
    "none": frozenset(),
    "x-forwarded-for": frozenset([b"x-forwarded-for"]),
    "x-forwarded": frozenset(
        b"x-forwarded-" + name for name in (b"for", b"host", b"port", b"prefix")
    ),
    "forwarded": frozenset([b"forwarded"]),
}

_SCHEMES: Final = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
_PREFIX: Final = re.compile(rb"(?:/[!$-.0-;=@-\[\]^-~]+)+")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(slots=True)
class Said:
    """
    What trusted proxies say; None and empty is what they don't.

    Attributes:
        client: Who has asked the first of them.
        scheme: How: "http" or "https".
        host: What the client has called us, as a Host field would say it.
        port: Where the client has connected to; 0 is unknown.
        prefix: What was in front of the path, still encoded.
    """

    client: Node | None = None
    scheme: str | None = None
    host: bytes = b""
    port: int = 0
    prefix: bytes = b""


NOTHING_SAID: Final = Said()


class Trust:
    """
    The proxies that are believed, and the fields by which they speak.

    Args:
        networks: Addresses and networks in CIDR form; ``*`` is everybody.
        secure_headers: Field names, and the value that means https.
        forwarders: Names with an underscore that such a proxy may set.
        style: What else is read.

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
        style: Style = "none",
    ) -> None:
        self.trusted = Networks(networks).has
        self._style = style
        self._secure = [
            (name.lower().replace("_", "-").encode("latin-1"), value.encode("latin-1"))
            for name, value in secure_headers.items()
            if style != "forwarded"
        ]
        self.forwarders = frozenset(
            name.lower().encode("latin-1") for name in forwarders if "_" in name
        )
        self.names = self.forwarders.union(
            _FIELDS[style], (name for name, _ in self._secure)
        )

    def read(self, request: Request) -> Said:
        """
        What a believed peer says in a request.

        Raises:
            ProtocolError: Its fields contradict each other, or name a host, a port or
                a prefix that are none.

        Hot: once per request of a believed peer.
        """
        if self._style == "forwarded":
            return self._read_forwarded(request)
        fields = request.fields
        said = Said(scheme=self.scheme(fields))
        if self._style != "none":
            value = fields.get(b"x-forwarded-for")
            if value is not None:
                said.client = self._client(value.decode("latin-1").split(","))
            if self._style == "x-forwarded":
                _read_rest(fields, said)
        return said

    def scheme(self, fields: Mapping[bytes, bytes]) -> str | None:
        """
        What a believed peer says the scheme was; ``None`` if it doesn't.

        Of a list the last one counts: the peer has added that itself.

        Raises:
            ProtocolError: Two of its fields contradict each other.
        """
        found: str | None = None
        for name, secure in self._secure:
            value = fields.get(name)
            if value is not None:
                if b"," in value:
                    value = value.rpartition(b",")[2].strip(b" \t")
                scheme = "https" if value == secure else "http"
                if found is not None and found != scheme:
                    raise ProtocolError("contradictory scheme headers of a proxy")
                found = scheme
        return found

    def _client(self, hops: Sequence[str]) -> Node | None:
        """
        The last one from the right whom trusted ones name.

        Who is hidden, or named in no way that we know, leaves the one before.
        """
        client: Node | None = None
        for hop in reversed(hops):
            node = parse_node(hop.strip(" \t"))
            if node is None:
                break
            client = node
            if not self.trusted(node[0]):
                break
        return client

    def _read_forwarded(self, request: Request) -> Said:
        """The same of RFC 7239's field; each line for itself, the last one first."""
        said = Said()
        lines = [value for name, value in request.headers if name == b"forwarded"]
        for line in reversed(lines):
            elements = parse_forwarded(line.decode("latin-1"))
            if elements is None:
                break
            for element in reversed(elements):
                # What stands beside the client's name was said by who saw it.
                said.scheme = _SCHEMES.get(element.get("proto", "").lower())
                said.host = element.get("host", "").encode("latin-1")
                node = parse_node(element.get("for", ""), bare=False)
                if node is not None:
                    said.client = node
                if node is None or not self.trusted(node[0]):
                    return _checked(said)
        return _checked(said)


def _checked(said: Said) -> Said:
    if said.host:
        VALID_HOSTS.check(said.host)
    return said


def _read_rest(fields: Mapping[bytes, bytes], said: Said) -> None:
    """Host, port and prefix: of a list the last one, which the peer has added."""
    host = _last(fields, b"x-forwarded-host")
    port = _last(fields, b"x-forwarded-port")
    prefix = _last(fields, b"x-forwarded-prefix").rstrip(b"/")
    if host:
        VALID_HOSTS.check(host)
        said.host = host
    if port:
        if not port.isdigit() or len(port) > 5 or not 0 < int(port) <= 65535:
            raise ProtocolError(f"X-Forwarded-Port {port[:20]!r}")
        said.port = int(port)
        if host and said.port != _DEFAULT_PORTS.get(said.scheme or ""):
            said.host = _with_port(host, said.port)
    if prefix:
        if not _PREFIX.fullmatch(prefix):
            raise ProtocolError(f"X-Forwarded-Prefix {prefix[:40]!r}")
        said.prefix = prefix


def _with_port(host: bytes, port: int) -> bytes:
    """A host with this port, if it has none of its own."""
    name, _, number = host.rpartition(b":")
    has_port = bool(name) and number.isdigit() and not host.endswith(b"]")
    return host if has_port else host + b":%d" % port


def _last(fields: Mapping[bytes, bytes], name: bytes) -> bytes:
    return fields.get(name, b"").rpartition(b",")[2].strip(b" \t")
