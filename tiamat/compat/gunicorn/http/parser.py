"""The requests of a connection, one after the other."""

import time
from typing import Any, ClassVar

from tiamat.compat.gunicorn.http.message import Request
from tiamat.compat.gunicorn.http.unreader import IterUnreader, SocketUnreader


class Parser:
    """
    Requests, by iteration; what is left of the last one's body is thrown away.

    Args:
        cfg: the settings.
        source: a socket, or pieces of bytes.
        source_addr: who is at the other end.
    """

    mesg_class: ClassVar[Any] = None

    def __init__(self, cfg: Any, source: Any, source_addr: Any) -> None:
        self.cfg = cfg
        kind = SocketUnreader if hasattr(source, "recv") else IterUnreader
        self.unreader = kind(source)
        self.mesg: Any = None
        self.source_addr = source_addr
        self.req_count = 0

    def __iter__(self) -> "Parser":
        return self

    def finish_body(
        self, deadline: float | None = None, max_bytes: int | None = None
    ) -> bool:
        """
        Throw away what is left of the last body; whether all of it was.

        Args:
            deadline: on the monotonic clock, in seconds.
            max_bytes: the most that is thrown away.
        """
        left = max_bytes
        while self.mesg is not None and (data := self.mesg.body.read(8192)):
            if left is not None and (left := left - len(data)) < 0:
                return False
            if deadline is not None and time.monotonic() > deadline:
                return False
        return True

    def __next__(self) -> Any:
        if self.mesg is not None and self.mesg.should_close():
            raise StopIteration
        self.finish_body()
        self.req_count += 1
        self.mesg = self.mesg_class(
            self.cfg, self.unreader, self.source_addr, self.req_count
        )
        return self.mesg

    next = __next__


class RequestParser(Parser):
    """The requests of a connection of HTTP."""

    mesg_class = Request
