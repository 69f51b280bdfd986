"""
Field names and values: RFC 9110, 5.

What is looked at for every request stands in tables that remember what was
checked; the rules themselves run when something is seen for the first time.
"""

import re
from collections.abc import Collection
from typing import Final, Literal, TypeAlias

from tiamat.protocol.errors import InvalidResponse, ProtocolError

HeaderMap: TypeAlias = Literal["drop", "refuse", "dangerous"]

# RFC 9110, 5.6.2: token.
TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")

# RFC 9110, 5.5: field-value, with obs-text. No control characters but HTAB.
FIELD_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\Z")

# RFC 9110, 7.2 and RFC 3986, 3.2.2: uri-host [ ":" port ]. No userinfo.
_HOST: Final = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+(?:%25[0-9A-Za-z._~-]+)?\]"
    rb"|(?:[0-9A-Za-z._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)"
    rb"(?::[0-9]*)?\Z"
)

_CACHED: Final = 1024
_LONGEST_CACHED: Final = 64


class Names(dict[bytes, bytes]):
    """
    Field names as they came → as they are kept: lower case, one object each.

    Hot: once per field. One object per name makes every later look-up a
    comparison of pointers.

    A name with an underscore becomes ``X-Y``'s twin ``HTTP_X_Y`` in an environ,
    so whoever sends ``X_Forwarded_For`` can overwrite what a proxy vouched for.
    Unless *header_map* is "dangerous", such a name becomes ``b""``, which no
    parser lets through by itself.

    Args:
        header_map: What becomes of names with an underscore.
        forwarders: Those that a proxy may send all the same, lower case. Who sent
            them is for the gateway to judge.
    """

    def __init__(
        self, header_map: HeaderMap, forwarders: Collection[bytes] = ()
    ) -> None:
        self._forwarders = forwarders
        self._dangerous = header_map == "dangerous"
        self.refuse = header_map == "refuse"

    def __missing__(self, name: bytes) -> bytes:
        kept = name.lower()
        if b"_" in name and not self._dangerous and kept not in self._forwarders:
            kept = b""
        if len(self) < _CACHED and len(name) <= _LONGEST_CACHED:
            kept = self.setdefault(kept, kept) if kept else kept
            self[name] = kept
        return kept


class _Hosts(set[bytes]):
    """Values of ``Host`` that have passed; bounded, since clients make them up."""

    def check(self, host: bytes) -> None:
        """
        Raise unless *host* is a valid value.

        An empty one is valid: it is what a client sends whose target has no
        authority (RFC 9112, 3.2).
        """
        if _HOST.match(host) is None:
            raise ProtocolError(f"invalid Host {host[:80]!r}")
        if len(self) < _CACHED and len(host) <= _LONGEST_CACHED:
            self.add(host)


VALID_HOSTS: Final = _Hosts()


def list_members(value: bytes) -> list[bytes]:
    """Split a comma-separated list; lower case, empty members left out."""
    members = [member.strip(b" \t").lower() for member in value.split(b",")]
    return [member for member in members if member]


class LengthLine(bytes):
    """A ``Content-Length`` line, which also knows its number."""

    length: int


class SpecialLine(bytes):
    """A line about the connection or from us; *name* says which."""

    name: bytes


# RFC 9110, 7.6.1, and PEP 3333: an application doesn't speak about the
# connection it can't see.
HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"trailers",
        b"transfer-encoding",
        b"upgrade",
    )
)
_SPECIAL: Final = HOP_BY_HOP | {b"date", b"server"}

Field: TypeAlias = tuple[str, str] | tuple[bytes, bytes]


class FieldLines(dict[Field, bytes]):
    """
    A response field, as WSGI (text) or ASGI (bytes) gives it → its line.

    Hot: once per field. A field that was checked and written once is looked up
    from then on; most responses repeat most of their fields.

    Raises:
        InvalidResponse: It would break the head, or doesn't fit in it.
    """

    def __missing__(self, field: Field) -> bytes:
        name, value = _as_bytes(field)
        if TOKEN.match(name) is None:
            raise InvalidResponse(f"header name {field[0]!r} is not a token")
        if FIELD_VALUE.match(value) is None:
            raise InvalidResponse(
                f"header {name.decode('latin-1')} has a control character in its value"
            )
        line = b"%s: %s\r\n" % (name, value)
        kind = name.lower()
        if kind == b"content-length":
            if not value.isdigit():
                raise InvalidResponse(f"header Content-Length is {field[1]!r}")
            line = LengthLine(line)
            line.length = int(value)
        elif kind in _SPECIAL:
            line = SpecialLine(line)
            line.name = kind
        if len(line) <= 2 * _LONGEST_CACHED:
            if len(self) >= _CACHED:
                self.clear()
            self[field] = line
        return line


def _as_bytes(field: Field) -> tuple[bytes, bytes]:
    """Encode text as WSGI means it: each character is a byte."""
    name, value = field
    try:
        return (
            name.encode("latin-1") if isinstance(name, str) else bytes(name),
            value.encode("latin-1") if isinstance(value, str) else bytes(value),
        )
    except UnicodeEncodeError:
        raise InvalidResponse(f"header {name!r} is not latin-1") from None
    except TypeError:
        raise InvalidResponse(f"header {name!r} is neither text nor bytes") from None


FIELD_LINES: Final = FieldLines()
