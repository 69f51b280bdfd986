"""
Header sections that come again: the requests of one client differ little.

Theory: HTTP/2's header compression rests on it (RFC 7541, 1.1: "requests on the
same connection" are "redundant"), and so may we. Behind a request line the field
lines of a connection's requests are often the same to the last byte. Bytes that
were read once, under all rules, read the same the second time; so what they gave
is kept, and a head that ends in them costs one comparison and its request line.

Only what depends on nothing but its own bytes is kept: sections of requests of
HTTP/1.1 without a body, an expectation or an upgrade, that keep the connection.
"""

import re
from typing import Any, Final

from tiamat.protocol.limits import Limits
from tiamat.protocol.request import Request
from tiamat.types import Headers

# A request line of the plainest kind, RFC 9112, 3: nothing that either parser or a
# rule of ours would look at twice. The methods are in both parsers' lists.
_PLAIN_LINE: Final = re.compile(
    rb'(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[!"$-~]*) HTTP/1\.1'
)
_METHODS: Final = {
    name.encode(): name
    for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
}

# Fields that say what comes behind the head.
_FRAMING: Final = frozenset(
    (b"content-length", b"transfer-encoding", b"expect", b"upgrade")
)

# A longer one isn't worth its memory: it changes with its cookies anyway.
_LONGEST: Final = 4096


class Section:
    """
    The field lines of a head, and what they were found to say.

    Attributes:
        raw: The bytes, from the end of the request line to that of the head.
        headers, fields: As a request has them; nobody changes them.
        environ: What a gateway has made of them, kept here for the next time.
    """

    __slots__ = ("_longest", "environ", "fields", "headers", "raw")

    def __init__(
        self, raw: bytes, headers: Headers, fields: dict[bytes, bytes], longest: int
    ) -> None:
        self.raw = raw
        self.headers = headers
        self.fields = fields
        self.environ: dict[str, Any] | None = None
        self._longest = longest

    def request(self, data: bytes) -> Request | None:
        """
        The request whose whole head *data* is, if it ends in this section.

        Hot: once per request.
        """
        raw = self.raw
        if not data.endswith(raw):
            return None
        size = len(data)
        line = _PLAIN_LINE.fullmatch(data, 0, size - len(raw))
        if line is None or size > self._longest:
            return None
        method, target = line.groups()
        request = Request(
            _METHODS[method], target, "1.1", self.headers, self.fields, data
        )
        request.section = self
        return request


def section_of(request: Request, limits: Limits) -> Section | None:
    """
    The section of *request*, if the next head may be read by it.

    Args:
        request: Whole, and the connection goes on behind it.
        limits: That no head may break which is read by it.
    """
    fields = request.fields
    head = request.head
    end = head.index(b"\r\n")
    if (
        len(head) > _LONGEST
        or _PLAIN_LINE.fullmatch(head, 0, end) is None
        or not _FRAMING.isdisjoint(fields)
    ):
        return None
    return Section(head[end:], request.headers, fields, limits.short_head)
