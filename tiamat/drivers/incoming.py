"""The body of a request whose application runs already: read as it is wanted."""

from typing import TYPE_CHECKING, Final

from tiamat.drivers.transport import BODY, LINGER
from tiamat.gateways.wsgi import WSGIResponse
from tiamat.gateways.wsgi_input import BodyRefused, BodyTimeout, ClientDisconnected
from tiamat.protocol.request import UNWANTED, Request
from tiamat.protocol.response import Response

if TYPE_CHECKING:
    from tiamat.drivers.blocking import BlockingConnection

BODY_READ_SIZE: Final = 65536


def receive_more(
    connection: "BlockingConnection", request: Request, response: WSGIResponse
) -> None:
    """
    Wait until more of a body has come.

    Raises:
        BodyError: It never will.
    """
    http = connection.http
    if request.expect_continue:
        request.expect_continue = False
        if request.body is None and not response.status:
            keep(connection, request, response)
            connection.write(Response(request).interim(100))
    if http.error is None and not http.eof and not connection.broken:
        data = receive_in_time(connection, request)
        if data:
            http.receive_data(data)
            if not (response.keep_alive or response.status):
                keep(connection, request, response)
        else:
            http.receive_eof()
    if request.complete:
        return  # what may be wrong stands behind it
    if http.error is not None:
        raise BodyRefused(http.error)
    if connection.expired:
        raise BodyTimeout("the body did not come in time (body_timeout, min_body_rate)")
    if http.eof or connection.broken:
        raise ClientDisconnected("the client has gone before the end of the body")


def receive_in_time(connection: "BlockingConnection", request: Request) -> bytes:
    """
    What comes next of a body, unless that is too slow; nothing is the end.

    The time that the application takes between two reads is not the client's.
    """
    loop = connection.loop
    timeouts = loop.service.timeouts
    now = loop.clock()
    connection.body_at += now - connection.read_at
    left = connection.body_at + timeouts.allowed(request.body_size) - now
    data = connection.receive(BODY, min(timeouts.body, left))
    connection.read_at = loop.clock()
    return data


def keep(
    connection: "BlockingConnection", request: Request, response: WSGIResponse
) -> None:
    """The connection may go on behind the response, unless the body is far too long."""
    loop = connection.loop
    keeps = loop.always_keeps or loop.keeps_alive(connection)
    response.keep_alive = request.keep_alive and keeps and request.near_end


def drain(connection: "BlockingConnection", request: Request) -> bool:
    """
    Read what the application left of a body, if that is little and comes soon.

    Returns:
        Whether the next byte is that of another request.
    """
    http = connection.http
    until = connection.loop.clock() + connection.loop.service.timeouts.linger
    if request.expect_continue or not request.near_end:
        return False
    start = request.body_size
    while not request.complete and request.body_size - start <= UNWANTED:
        if request.body is not None:
            request.body.take()
        data = connection.receive(LINGER, until - connection.loop.clock())
        if not data:
            return False
        http.receive_data(data)
        if http.error is not None and not request.complete:
            return False
    if request.body is not None:
        request.body.take()
    return request.complete
