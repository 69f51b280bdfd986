"""
What a head says, and whether it may: RFC 9112, 3, 5 and 6.

The rules that a smuggled request would have to break, in one place, on the whole
head, whichever parser has read it.
"""

import re
from typing import Final

from tiamat.protocol.errors import (
    HeadTooLarge,
    NotImplementedMethod,
    ProtocolError,
    TargetTooLong,
    UnsupportedVersion,
)
from tiamat.protocol.framing import (
    CHUNKED,
    body_length,
    expects_continue,
    merge_repeated,
    refuses_more,
    split_absolute,
    wants_keep_alive,
)
from tiamat.protocol.headers import TOKEN, VALID_HOSTS, Names
from tiamat.protocol.limits import Limits
from tiamat.protocol.request import Request
from tiamat.types import Headers

_HTTP_1_1: Final = b"HTTP/1.1\r\n"

_TAB_IN_CODINGS: Final = re.compile(rb"\n(?i:transfer-encoding):[^\r]*\t")

# Longer than any method of the registry (UPDATEREDIRECTREF has 17).
_LONGEST_METHOD: Final = 32


class _Methods(dict[bytes, str]):
    """Methods as bytes → text; only tokens, only so many, and no CONNECT."""

    def __missing__(self, name: bytes) -> str:
        if TOKEN.match(name) is None:
            raise ProtocolError(f"method {name[:40]!r} is not a token")
        if len(name) > _LONGEST_METHOD:
            raise ProtocolError(f"method {name[:40]!r} is too long")
        if name == b"CONNECT":
            # RFC 9110, 9.3.6: "most origin servers do not implement CONNECT".
            raise NotImplementedMethod("CONNECT")
        method = name.decode()
        if len(self) < 64:
            self[name] = method
        return method


_METHODS: Final = _Methods()


# One straight run through the rules of a head: RFC 9112, 3.2, 6 and 9.3. Each
# part that moved out would be one more frame for each request.
def read_head(  # noqa: C901, PLR0912
    head: bytes, headers: Headers, limits: Limits, names: Names
) -> Request:
    """
    The request that begins with this head.

    Args:
        head: The bytes of it, from the method to the blank line.
        headers: What the parser found in it, with names out of *names*.
        limits: How large it may be.
        names: The table of names, which knows what becomes of underscores.

    Raises:
        ProtocolError: It may not be what it is.

    Hot: once per request; most have a target that begins with a slash, a
    Host that was seen before, and nothing else that matters here.
    """
    try:
        method, target, rest = head.split(b" ", 2)
    except ValueError:
        raise ProtocolError(f"request line {head[:80]!r}") from None
    # A number, and find: bytes in bytes first tries it as a number, and fails.
    if 0x09 in head or head.find(b" \r\n") >= 0:
        # llhttp keeps whitespace at the end of a value (RFC 9112, 5.1: OWS).
        headers = [(name, value.strip(b" \t")) for name, value in headers]
    if len(head) > limits.short_head or len(headers) > limits.request_fields:
        check_limits(head, headers, limits)
    fields = dict(headers)
    if len(fields) != len(headers) or b"" in fields:
        headers, fields = check_names(headers, names)
    known = "1.1" if rest[:10] == _HTTP_1_1 else other_version(head)
    request = Request(_METHODS[method], target, known, headers, fields, head)
    host = fields.get(b"host")
    if host is None:
        check_absent_host(known)
    elif host not in VALID_HOSTS:
        VALID_HOSTS.check(host)
    if target[:1] != b"/" or 0x23 in target or 0x0D in target:
        check_odd_target(request)
    if known == "1.0":
        request.keep_alive = False
    if host is None or len(fields) > 1:  # more than Host
        connection = fields.get(b"connection")
        if connection is not None and (connection != b"keep-alive" or known == "1.0"):
            request.keep_alive = wants_keep_alive(known, connection)
        if b"proxy-connection" in fields and refuses_more(fields):
            request.keep_alive = False
        if b"expect" in fields:
            request.expect_continue = expects_continue(known, fields[b"expect"])
        if b"content-length" in fields or b"transfer-encoding" in fields:
            request.length = framed_length(request, limits)
            request.complete = request.length == 0
    return request


def check_absent_host(version: str) -> None:
    """
    Raise if this version insists on a Host.

    RFC 9112, 3.2: "A server MUST respond with a 400 (Bad Request) status code to any
    HTTP/1.1 request message that lacks a Host header field and to any request message
    that contains more than one Host header field line or a Host header field with an
    invalid field value."
    """
    if version == "1.1":
        raise ProtocolError("no Host")


def framed_length(request: Request, limits: Limits) -> int:
    """The length of a body that the fields announce."""
    length = body_length(request.version, request.fields, limits.request_body)
    if length == CHUNKED and _TAB_IN_CODINGS.search(request.head) is not None:
        # llhttp takes it for another coding, and would say so too late.
        raise ProtocolError("a tab in Transfer-Encoding")
    return length


def check_limits(head: bytes, headers: Headers, limits: Limits) -> None:
    """The exact limits; only heads that could be over one come here."""
    if head.index(b"\r\n") > limits.request_line:
        raise TargetTooLong(
            f"request line over limit_request_line={limits.request_line}"
        )
    if len(headers) > limits.request_fields:
        raise HeadTooLarge(f"more than limit_request_fields={limits.request_fields}")
    if len(head) > limits.request_head:
        raise HeadTooLarge(f"head over limit_request_head={limits.request_head}")
    longest = max(map(len, head.split(b"\r\n")[1:]))
    if longest > limits.request_field_size:
        raise HeadTooLarge(
            f"field over limit_request_field_size={limits.request_field_size}"
        )


def check_unfinished(raw: bytearray, limits: Limits) -> None:
    """Raise if this beginning of a head is too long already."""
    longest = limits.request_line + 2  # with its line end
    if len(raw) >= longest and raw.find(b"\r\n", 0, longest) < 0:
        raise TargetTooLong(
            f"request line over limit_request_line={limits.request_line}"
        )
    if len(raw) > limits.request_head:
        raise HeadTooLarge(f"head over limit_request_head={limits.request_head}")


def refused_method(line: bytes) -> ProtocolError | None:
    """
    Tell a method that llhttp doesn't know from bytes that are none.

    Args:
        line: The request line, as far as it has come. llhttp stops at the first
            byte of either; ``None`` if it takes more to say.
    """
    method, space, _ = line.partition(b" ")
    if TOKEN.match(method) is None or len(method) > _LONGEST_METHOD:
        return ProtocolError(f"method {method[:40]!r}")
    if not space:
        return None
    return NotImplementedMethod(f"method {method!r} needs http_parser=h11")


def check_names(headers: Headers, names: Names) -> tuple[Headers, dict[bytes, bytes]]:
    """Repeated names, and names with an underscore, which are ``b""`` here."""
    if names.refuse and any(not name for name, _ in headers):
        raise ProtocolError("a header name with an underscore (header_map=refuse)")
    headers = [field for field in headers if field[0]]
    return headers, merge_repeated(headers)


def check_odd_target(request: Request) -> None:
    """A target that isn't a path: RFC 9112, 3.2.2 to 3.2.4."""
    target = request.target
    if b"\r" in target:
        raise ProtocolError("a request line without a version")
    if target == b"*":
        if request.method != "OPTIONS":
            raise ProtocolError("target * is for OPTIONS only")
        return
    if b"#" in target or target[:1] in (b"/", b""):
        raise ProtocolError(f"fragment in target {target[:80]!r}")
    authority, request.target = split_absolute(target)
    VALID_HOSTS.check(authority)
    request.fields[b"host"] = authority
    request.headers = [
        (b"host", authority),
        *(field for field in request.headers if field[0] != b"host"),
    ]


def other_version(head: bytes) -> str:
    """
    The version of a request line that doesn't end in HTTP/1.1.

    RFC 9112, 2.3, and 9110, 15.6.6: only 1.1 and 1.0 are spoken here.
    """
    words = head[: head.index(b"\r\n")].split(b" ")
    if len(words) != 3:
        raise ProtocolError(f"request line {head[:80]!r}")
    version = words[2]
    if version == b"HTTP/1.0":
        return "1.0"
    if version[:5] == b"HTTP/":
        raise UnsupportedVersion(f"version {version[:16]!r}")
    raise ProtocolError(f"version {version[:16]!r}")
