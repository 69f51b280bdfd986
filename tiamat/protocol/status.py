"""Status lines as bytes, and which statuses carry no content."""

import re
from http import HTTPStatus
from typing import Final

from tiamat.protocol.errors import InvalidResponse

REASONS: Final = {status.value: status.phrase for status in HTTPStatus}

# RFC 9110, 6.4.1: responses to HEAD and 1xx, 204 and 304 have no content.
BODILESS: Final = frozenset((*range(100, 200), 204, 304))

# PEP 3333: "a string of the form "999 Message here"". Obsolete text (RFC 9112,
# 4: reason-phrase) is let through; 1xx is no final answer, and 101 would be an
# upgrade that nobody here has agreed to.
_STATUS: Final = re.compile(r"([2-9][0-9]{2})( [\t\x20-\x7e\x80-\xff]*)?\Z")

_CACHED: Final = 256


class StatusLines(dict[str | int, tuple[int, bytes, bool]]):
    """
    An application's status → number, status line, whether it has no content.

    Hot: once per response; what was checked once is looked up from then on.

    Raises:
        InvalidResponse: No status can look like this.
    """

    def __missing__(self, status: str | int) -> tuple[int, bytes, bool]:
        text = str(status)
        if isinstance(status, int) and status in REASONS:
            text = f"{status} {REASONS[status]}"
        match = _STATUS.match(text)
        if status == "":
            raise InvalidResponse("the application didn't call start_response")
        if match is None:
            raise InvalidResponse(f"status {status!r} is not one that ends a request")
        line = b"HTTP/1.1 " + text.encode("latin-1")
        if match[2] is None:
            line += b" "  # RFC 9112, 4: the space stays when the phrase is absent.
        number = int(match[1])
        found = number, line + b"\r\n", number in BODILESS
        if len(self) < _CACHED:
            self[status] = found
        return found


STATUS_LINES: Final = StatusLines()
