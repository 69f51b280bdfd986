"""
The uwsgi protocol, as nginx's ``uwsgi_pass`` speaks it: one request per connection.

A packet of variables stands where HTTP has its head. It is made a head of HTTP/1.0,
and read by the rules for one: there is no second reading of requests. The answer is
HTTP's, as nginx expects it; it knows no chunks there, so the connection's end is that
of a response without a length.

Source: https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html
"""

import re
from typing import Final, TypeAlias
from urllib.parse import quote_from_bytes

from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.headers import TOKEN, Names
from tiamat.protocol.http1 import Connection
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser import ParserFactory
from tiamat.protocol.request import Request
from tiamat.protocol.section import Section

Variables: TypeAlias = dict[str, str]

_FIXED: Final = 4  # modifier, size, modifier
_FORBIDDEN: Final = re.compile(rb"[\r\n\0]")
_NAME: Final = re.compile(r"[!-~]+")
_SAFE: Final = "/:@!$&'()*+,;=~"  # RFC 3986, 3.3, for quote, which adds the unreserved

# About the connection between client and proxy; what frames the body is a variable of
# its own, and both a field and that would be two readings.
_LEFT_OUT: Final = frozenset(
    "HTTP_" + name
    for name in (
        "CONNECTION", "CONTENT_LENGTH", "CONTENT_TYPE", "EXPECT", "KEEP_ALIVE",
        "PROXY_CONNECTION", "TE", "TRAILER", "TRANSFER_ENCODING", "UPGRADE",
    )
)  # fmt: skip


class InvalidPacket(ProtocolError):
    """These bytes are no request of uwsgi."""


class SaidSection(Section):
    """
    The fields of a request, and all that its proxy says beside them.

    Attributes:
        variables: Those that are no field.
    """

    __slots__ = ("variables",)

    def __init__(self, request: Request, variables: Variables) -> None:
        super().__init__(b"", request.headers, request.fields, 0)
        self.variables = variables


class UwsgiConnection(Connection):
    """The one request of a connection, with the face of HTTP/1's connection."""

    __slots__ = ("_packet",)

    def __init__(self, limits: Limits, parser: ParserFactory, names: Names) -> None:
        super().__init__(limits, parser, names)
        self._packet: bytes | None = b""  # None when it is read

    def receive_data(self, data: bytes) -> None:
        """Take what came from the peer: its packet, then a body."""
        if self.error is not None or self.eof:
            return
        packet = self._packet
        if packet is None:
            super().receive_data(data)
            return
        packet = self._packet = packet + data
        try:
            size = packet_size(packet)
            if not 0 < size <= len(packet):
                return
            self._packet = None
            head, variables = read_packet(packet[_FIXED:size])
        except ProtocolError as error:
            self._packet = None
            self._refuse(error)
            return
        super().receive_data(head)
        for request in self.requests:
            request.section = SaidSection(request, variables)
        if size < len(packet):
            super().receive_data(packet[size:])

    @property
    def empty(self) -> bool:
        """No byte of a request is here."""
        return self._packet == b""


def packet_size(data: bytes) -> int:
    """
    How long the packet is that begins so; 0 if that can't be told yet.

    Raises:
        InvalidPacket: It isn't one for Python: those have the modifier 0.
    """
    if data[0]:
        raise InvalidPacket(f"no uwsgi request: begins with {data[:12]!r}")
    if len(data) < _FIXED:
        return 0
    return _FIXED + int.from_bytes(data[1:3], "little")


def read_packet(data: bytes) -> tuple[bytes, Variables]:
    """
    A head of HTTP/1.0 that says what a packet does, and what that can't say.

    Args:
        data: The variables, each with its lengths.

    Raises:
        InvalidPacket: It can't be read, or would be read in two ways.
    """
    lines: list[bytes] = []
    variables: Variables = {}
    length = b""
    for name, value in _split(data):
        if name.startswith("HTTP_"):
            if name == "HTTP_CONTENT_LENGTH" and value:
                length = value
            elif name not in _LEFT_OUT:
                field = name[5:].replace("_", "-").encode()
                lines.append(b"%s: %s\r\n" % (field, value))
            continue
        text = value.decode("latin-1")
        if name in ("CONTENT_LENGTH", "REQUEST_METHOD") and (
            variables.get(name, text) != text
        ):
            raise InvalidPacket(f"two values of {name}")
        variables[name] = text  # nginx sends what overrides its own behind that
    size = variables.pop("CONTENT_LENGTH", "").encode("latin-1")
    if length not in (b"", size):
        raise InvalidPacket("two lengths of the body")
    if size:
        lines.append(b"Content-Length: %s\r\n" % size)
    kind = variables.pop("CONTENT_TYPE", "").encode("latin-1")
    if kind:
        lines.append(b"Content-Type: %s\r\n" % kind)
    method = variables.pop("REQUEST_METHOD", "").encode("latin-1")
    if TOKEN.match(method) is None:
        raise InvalidPacket(f"method {method[:40]!r}")
    line = b"%s %s HTTP/1.0\r\n" % (method, _target(variables))
    return b"".join([line, *lines, b"\r\n"]), variables


def _split(data: bytes) -> list[tuple[str, bytes]]:
    """Names and values, none of which breaks the head that it will stand in."""
    found = []
    at = 0
    while at < len(data):
        name, at = _cut(data, at)
        value, at = _cut(data, at)
        text = name.decode("latin-1")
        if _NAME.fullmatch(text) is None or ":" in text:
            raise InvalidPacket(f"variable {name[:40]!r}")
        if _FORBIDDEN.search(value):
            raise InvalidPacket(f"a line end or NUL in {text[:40]}")
        found.append((text, value))
    return found


def _cut(data: bytes, at: int) -> tuple[bytes, int]:
    begin = at + 2
    end = begin + int.from_bytes(data[at:begin], "little")
    if begin > len(data) or end > len(data):
        raise InvalidPacket("a variable that is longer than the packet")
    return data[begin:end], end


def _target(variables: Variables) -> bytes:
    """
    The path that the proxy has decided by, and the query.

    nginx hands over the path decoded, with its dots resolved (PATH_INFO), and as it
    came (REQUEST_URI). What it allows and refuses goes by the first.
    """
    path = variables.pop("PATH_INFO", None)
    query = variables.pop("QUERY_STRING", None)
    if path is None:
        target = variables.get("REQUEST_URI", "").encode("latin-1")
    else:
        mount = variables.get("SCRIPT_NAME", "").rstrip("/")
        if mount and path != mount and not path.startswith(mount + "/"):
            path = mount + path
        target = quote_from_bytes(path.encode("latin-1") or b"/", _SAFE).encode()
        if query:
            target += b"?" + query.encode("latin-1")
    if not target.startswith(b"/"):
        raise InvalidPacket(f"path {target[:80]!r}")
    return target
