"""How large a request may be. The defaults stand here, once."""

import sys
from dataclasses import dataclass, field
from typing import Final

_OF_A_HEAD: Final = (
    "request_line", "request_fields", "request_field_size", "request_head",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Sizes in bytes, and counts, that one request must stay within; 0 is no limit.

    Attributes:
        request_line: Method, target and version with the spaces between them:
            414 above. 4094 is gunicorn's; RFC 9112, 3 asks for 8000 at least
            from those who can't know better.
        request_fields: Header fields of one head: 431 above. 100 is what
            gunicorn, Apache and hyper take.
        request_field_size: One field, ``Name: value`` and its line end: 431.
        request_head: The whole head: 431. A hundred fields of 8190 would be
            800 kB of somebody else's bytes for each connection.
        request_body: Its content: 413 above. 1 GiB is waitress's.
        pipelined: Requests that may wait on one connection before reading
            stops.
        short_head: A head up to this can break no limit but that of its count.
    """

    request_line: int = 4094
    request_fields: int = 100
    request_field_size: int = 8190
    request_head: int = 65536
    request_body: int = 1 << 30
    pipelined: int = 4
    short_head: int = field(init=False)

    def __post_init__(self) -> None:
        for name in _OF_A_HEAD:
            if not getattr(self, name):
                object.__setattr__(self, name, sys.maxsize)
        shortest = min(self.request_line, self.request_field_size, self.request_head)
        object.__setattr__(self, "short_head", shortest)
