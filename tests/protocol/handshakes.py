"""The handshake of a WebSocket, as a driver would have it, for tests of all floors."""

from protocol.wire import PARSERS

from tiamat.protocol.headers import Names
from tiamat.protocol.http1 import Connection
from tiamat.protocol.limits import Limits
from tiamat.protocol.request import Request

HEAD = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

COMMON = b"Server: tiamat\r\n"


def request(head: bytes = HEAD) -> Request:
    """Parse *head* as a driver would."""
    connection = Connection(Limits(), PARSERS["httptools"], Names("drop"))
    connection.upgrades = True
    connection.receive_data(head)
    return connection.requests[0]
