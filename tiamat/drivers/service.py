"""What connections need, chosen and built once per worker."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tiamat.drivers.opening import Opener
from tiamat.gateways.faults import Log
from tiamat.gateways.wsgi import WSGIGateway
from tiamat.gateways.wsgi_environ import Environs
from tiamat.protocol.headers import Names
from tiamat.protocol.http1 import Connection
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser import ParserFactory
from tiamat.protocol.request import Request
from tiamat.protocol.response import Response
from tiamat.types import Environ, Scope

if TYPE_CHECKING:  # the master of WSGI workers does without
    from tiamat.gateways.asgi import ASGIGateway

FOREVER: Final = 1e9
"""A timeout that is off, in seconds: thirty years."""

Finished = Callable[
    [Request | None, Response, Environ | None, tuple[str, str], float], None
]
"""
Called behind the last byte: request, response, environ, peer, seconds it took.

What was refused before it was a request has none, and no environ.
"""


@dataclass(slots=True)
class Timeouts:
    """
    How long a client may keep us waiting, in seconds.

    Attributes:
        header: From the connection, or the first byte of a later request, to
            the end of its head.
        body: Without a byte of the body.
        body_rate: Bytes a second that a body comes with at least, on the average.
        body_grace: Before that counts.
        write: Without the client taking a byte.
        keepalive: Between two requests; 0 closes behind each.
        linger: For the client to close behind our last byte.
        slow: Of a request in the application, before it is logged.
        request: Of the same, before it is ended.
    """

    header: float = 10.0
    body: float = 30.0
    body_rate: float = 240.0
    body_grace: float = 10.0
    write: float = 30.0
    keepalive: float = 2.0
    linger: float = 2.0
    slow: float = FOREVER
    request: float = FOREVER

    def allowed(self, size: int) -> float:
        """
        How long we may have waited for so many bytes of a body.

        The average counts, not the last seconds: a stall is ``body``'s business.
        """
        return max(self.body_grace, size / self.body_rate)


@dataclass(slots=True, kw_only=True)
class Service:
    """
    What connections of every driver need to know, and no setting.

    Attributes:
        limit_connections_per_ip: The most that one peer may have; 0 is no limit.
        max_queue_time: Seconds behind which a request that waits for us is turned
            away.
        opener: What stands before a connection's first byte; None is nothing.
        security: What makes TLS of them; None is plain text.
        protocol: What makes requests of the bytes of a connection.
    """

    log: Log
    limits: Limits
    names: Names
    parser: ParserFactory
    timeouts: Timeouts
    finished: Finished | None = None
    spool_directory: str | None = None
    response_spool_limit: int = 64 << 20
    limit_connections: int = 0
    limit_connections_per_ip: int = 0
    max_queue_time: float = FOREVER
    opener: Opener | None = None
    security: Any = None
    protocol: type[Connection] = Connection


@dataclass(slots=True, kw_only=True)
class WSGIService(Service):
    """All that a connection needs that serves WSGI."""

    gateway: WSGIGateway
    environs: Environs


@dataclass(slots=True, kw_only=True)
class ASGIService(Service):
    """
    All that a connection needs that serves ASGI.

    Attributes:
        bases: What the scopes on each listener have in common, by descriptor.
        websocket: How WebSockets are kept.
        overloaded: Answers those that are turned away; None if nobody is.
        begin_websocket: What takes a connection over that becomes one: called with
            the server, the connection and the request; None if there are none.
    """

    gateway: "ASGIGateway"
    bases: dict[int, Scope] = field(default_factory=dict)
    overloaded: "ASGIGateway | None" = None
    websocket: Any = None
    begin_websocket: Any = None


AnyService = TypeVar("AnyService", bound=Service)


def over_http(service: AnyService) -> AnyService:
    """The same for connections of HTTP, whatever others speak."""
    return replace(service, protocol=Connection)
