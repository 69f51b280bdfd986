"""From a request to a WebSocket on an asyncio loop: a connection changes its kind."""

from typing import TYPE_CHECKING

from tiamat.drivers.aio_websocket import AioWebSocket
from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.handshake import Refused
from tiamat.protocol.response import Response
from tiamat.protocol.websocket import WebSocket

if TYPE_CHECKING:
    from tiamat.drivers.aio import AioServer
    from tiamat.drivers.aio_connection import AioConnection
    from tiamat.protocol.request import Request


def begin_websocket(
    server: "AioServer", connection: "AioConnection", request: "Request"
) -> None:
    """Have the application hear of a WebSocket, or refuse what is none."""
    service = server.service
    try:
        scope = service.gateway.scopes.websocket(
            request, connection.base, connection.client
        )
        socket = WebSocket(request, service.websocket)
    except ProtocolError as error:
        connection.refuse(error.status)
        return
    except Refused as refused:
        service.log.debug("WebSocket from %s refused: %s", connection.peer[0], refused)
        refuse(server, connection, request, refused)
        return
    if connection.ended:
        connection.close()  # no conversation with who has said all
        return
    AioWebSocket(server, connection, socket).begin(request, scope)


def refuse(
    server: "AioServer",
    connection: "AioConnection",
    request: "Request",
    refused: Refused,
) -> None:
    """Answer what is no handshake, and close."""
    service = server.service
    response = Response(request)
    common = service.gateway.common.lines
    connection.transport.write(
        response.whole(refused.status, refused.headers, common, refused.text)
    )
    if service.finished is not None:
        service.finished(request, response, None, connection.peer, 0.0)
    connection.http.surplus = bool(connection.http.unread)
    connection.close()
