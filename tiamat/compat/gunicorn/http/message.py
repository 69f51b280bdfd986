"""Requests, as gunicorn's code reads them from connections, on our protocol floor."""

import re
from typing import Any, Final

from tiamat.compat.gunicorn.http.body import Body
from tiamat.compat.gunicorn.http.errors import NoMoreData, translated
from tiamat.compat.request import RequestView
from tiamat.config import Config as OurConfig
from tiamat.config import named
from tiamat.gateways.wsgi_input import StreamedInput
from tiamat.protocol.headers import Names
from tiamat.protocol.http1 import Connection
from tiamat.workers.serving import make_limits

TOKEN_RE: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
MAX_REQUEST_LINE: Final = 8190
MAX_HEADERS: Final = 32768
DEFAULT_MAX_HEADERFIELD_SIZE: Final = 8190


class Message:
    """
    What came on a connection.

    Attributes:
        cfg: the settings.
        unreader: where it comes from.
        peer_addr: who is at the other end; ``remote_addr`` is the same.
    """

    must_close: bool = False

    def __init__(self, cfg: Any, unreader: Any, peer_addr: Any) -> None:
        self.cfg = cfg
        self.unreader = unreader
        self.peer_addr = self.remote_addr = peer_addr
        self.trailers: list[tuple[str, str]] = []
        self.parse(unreader)

    def parse(self, unreader: Any) -> None:
        """Read it."""
        raise NotImplementedError

    def should_close(self) -> bool:
        """Whether the connection ends behind it."""
        return self.must_close

    def force_close(self) -> None:
        """Have the connection end behind it."""
        self.must_close = True


class Request(Message, RequestView):
    """
    A request that is read from a connection, its body when somebody reads that.

    Args:
        cfg: the settings.
        unreader: where it comes from; it keeps what comes behind.
        peer_addr: who is at the other end.
        req_number: which of the connection's it is, from 1 on.

    Raises:
        StopIteration: there is no more request.
        NoMoreData: the client went in the midst of one.
        ParseException: the client broke the protocol.
    """

    def __init__(
        self, cfg: Any, unreader: Any, peer_addr: Any, req_number: int = 1
    ) -> None:
        self.req_number = req_number
        Message.__init__(self, cfg, unreader, peer_addr)

    def parse(self, unreader: Any) -> None:
        """Read it, up to its body."""
        if unreader.http is None:
            unreader.http = connection(self.cfg)
        http = unreader.http
        while not http.requests:
            if http.error is not None:
                raise translated(http.error)
            if http.eof:
                raise StopIteration
            self.more()
        request = http.requests.pop(0)
        http.resume()
        peer_addr = self.peer_addr
        host, port = peer_addr if isinstance(peer_addr, tuple) else ("", 0)
        file = Body(StreamedInput(request, self.more))
        about = {
            "wsgi.input": file,
            "wsgi.url_scheme": "https" if self.cfg.is_ssl else "http",
            "REMOTE_ADDR": host,
            "REMOTE_PORT": str(port),
        }
        RequestView.__init__(self, request, about)
        self.peer_addr = self.remote_addr = peer_addr
        self.request = request

    def more(self) -> None:
        """
        Wait until more has come.

        Raises:
            NoMoreData: the client went in the midst of a request.
            ParseException: the client broke the protocol.
        """
        http = self.unreader.http
        if http.error is not None:
            raise translated(http.error)
        began = not http.empty
        if data := self.unreader.read():
            http.receive_data(data)
        elif began:
            raise NoMoreData
        else:
            http.receive_eof()

    def should_close(self) -> bool:
        """Whether the connection ends behind it."""
        return self.must_close or RequestView.should_close(self)


def connection(cfg: Any) -> Connection:
    """What reads requests, by the settings."""
    ours: Any = getattr(cfg, "ours", None) or OurConfig()
    names = Names(ours.header_map, frozenset())
    return Connection(make_limits(ours), named.parser(ours), names)
