"""Applications, answered without a socket: requests on the left, bytes on the right."""

import logging
from collections.abc import Callable
from typing import Any

from tiamat.gateways.wsgi import WSGIGateway, WSGIResponse
from tiamat.gateways.wsgi_environ import Environs
from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.forwarded import Trust
from tiamat.protocol.headers import Names
from tiamat.protocol.http1 import Connection
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser_httptools import Parser

LOG = logging.getLogger("tests.gateways")
PLAIN = [("Content-Type", "text/plain")]


class Wire:
    """A transport that keeps what it is given."""

    broken = False

    def __init__(self) -> None:
        self.sent = b""
        self.files: list[tuple[int, int]] = []

    def write(self, *buffers: bytes) -> None:
        self.sent += b"".join(buffers)

    def write_file(self, fileno: int, offset: int, count: int) -> None:
        self.files.append((offset, count))


class Answer:
    """What an application's answer to one request looks like on the wire."""

    def __init__(
        self,
        app: Any,
        request: bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        *,
        trust: Trust | None = None,
        script_name: str = "",
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        common = CommonHeaders(b"tiamat")
        common.refresh(0)
        gateway = WSGIGateway(app, common, LOG, stopping=stopping)
        environs = Environs(trust=trust, script_name=script_name)
        names = Names("drop", trust.forwarders if trust is not None else ())
        connection = Connection(Limits(), Parser, names)
        connection.receive_data(request)
        parsed = connection.requests[0]
        base = environs.base("a", "80", "http")
        self.environ = environs.make(parsed, base, ("1.2.3.4", "5"))
        self.wire = Wire()
        self.response = WSGIResponse(parsed)
        gateway.run(self.response, self.wire, self.environ)
        self.head, _, self.body = self.wire.sent.partition(b"\r\n\r\n")
        self.lines = self.head.split(b"\r\n")


def nothing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with an empty body."""
    start_response("200 OK", PLAIN)
    return []
