"""
Where a request's body ends: RFC 9112, 6, and the fields that decide it.

One function for every parser, since a disagreement about framing is how one
request is smuggled inside another.
"""

import re
from typing import Final

from tiamat.protocol.errors import (
    BodyTooLarge,
    ExpectationFailed,
    ProtocolError,
    UnknownTransferCoding,
)
from tiamat.protocol.headers import list_members
from tiamat.protocol.request import Request
from tiamat.types import Headers

CHUNKED: Final = -1

_DIGITS: Final = re.compile(rb"[0-9]{1,19}\Z")

# Fields whose repetition is an attack or a mistake, never a list.
_SINGLE: Final = frozenset((b"host", b"content-length", b"transfer-encoding"))

_SCHEME_AND_AUTHORITY: Final = re.compile(
    rb"(?i:https?)://([0-9A-Za-z._~!$&'()*+,;=%:\[\]-]+)(/[^#]*|\?[^#]*)?\Z"
)


def merge_repeated(headers: Headers) -> dict[bytes, bytes]:
    """
    Fields by name, where some came more than once.

    RFC 9110, 5.3: repeated fields are one list. RFC 9112, 3.2 and 6.3: not
    these, which decide where the request goes and where it ends.
    """
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        if name not in fields:
            fields[name] = value
        elif name in _SINGLE:
            raise ProtocolError(f"{name.decode()} came more than once")
        else:
            fields[name] += b", " + value
    return fields


def body_length(version: str, fields: dict[bytes, bytes], limit: int) -> int:
    """
    How long the request's body is.

    Args:
        version: "1.0" or "1.1".
        fields: The head, names in lower case.
        limit: The most bytes allowed; 0 is no limit.

    Returns:
        Bytes, or ``CHUNKED``.

    Source: RFC 9112, 6.1 and 6.3.
    """
    codings = fields.get(b"transfer-encoding")
    length = fields.get(b"content-length")
    if codings is None:
        if length is None:
            return 0
        if _DIGITS.match(length) is None:
            raise ProtocolError(f"Content-Length {length[:40]!r} is not a number")
        size = int(length)
        if limit and size > limit:
            raise BodyTooLarge(f"body of {size} bytes, limit_request_body={limit}")
        return size
    if length is not None:
        # RFC 9112, 6.1: "might indicate an attempt to perform request
        # smuggling [...] and ought to be handled as an error".
        raise ProtocolError("both Content-Length and Transfer-Encoding")
    if version == "1.0":
        # "A server [...] that receives an HTTP/1.0 message containing a
        # Transfer-Encoding header field MUST treat the message as if the
        # framing is faulty".
        raise ProtocolError("Transfer-Encoding in HTTP/1.0")
    members = [member.strip(b" \t").lower() for member in codings.split(b",")]
    if members[-1] != b"chunked" or members.count(b"chunked") > 1:
        raise ProtocolError(f"Transfer-Encoding {codings[:40]!r} has no end")
    if len(members) > 1:
        if b"" in members:
            raise ProtocolError(f"Transfer-Encoding {codings[:40]!r}")
        raise UnknownTransferCoding(f"Transfer-Encoding {codings[:40]!r}")
    return CHUNKED


def wants_keep_alive(version: str, connection: bytes) -> bool:
    """RFC 9112, 9.3: what the client's Connection field asks for."""
    options = list_members(connection)
    if b"close" in options:
        return False
    return version == "1.1" or b"keep-alive" in options


def refuses_more(fields: dict[bytes, bytes]) -> bool:
    """
    Whether ``Proxy-Connection`` says close.

    RFC 9112, C.2.2: it is for proxies, and means nothing here. But llhttp, ours and
    perhaps that of who stands before us, takes it for ``Connection`` and reads
    nothing behind such a request. So nobody does.
    """
    return b"close" in list_members(fields[b"proxy-connection"])


def expects_continue(version: str, expect: bytes) -> bool:
    """
    RFC 9110, 10.1.1: whether the client waits for a 100 before its body.

    In HTTP/1.0 the field "MUST" be ignored; other expectations we can't meet.
    """
    if version == "1.0":
        return False
    if expect.lower() != b"100-continue":
        raise ExpectationFailed(f"Expect {expect[:40]!r}")
    return True


def asks_for_websocket(request: Request) -> bool:
    """
    RFC 6455, 4.2.1: whether a WebSocket is all that this request asks for.

    One that offers other protocols beside it, or that has a body, is HTTP.
    """
    fields = request.fields
    return (
        request.method == "GET"
        and request.version == "1.1"
        and request.length == 0
        and list_members(fields.get(b"upgrade", b"")) == [b"websocket"]
        and b"upgrade" in list_members(fields.get(b"connection", b""))
    )


def split_absolute(target: bytes) -> tuple[bytes, bytes]:
    """
    An absolute-form target as its authority and an origin-form target.

    RFC 9112, 3.2.2: "the origin server MUST ignore the received Host header
    field (if any) and instead use the host information of the request-target".
    """
    match = _SCHEME_AND_AUTHORITY.match(target)
    if match is None or match[1][:1] == b":":
        # RFC 9110, 4.2.1: one with an empty host "MUST" be rejected.
        raise ProtocolError(f"invalid target {target[:80]!r}")
    rest = match[2] or b"/"
    return match[1], rest if rest[:1] == b"/" else b"/" + rest
