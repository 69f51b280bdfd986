"""Workers that derive from gunicorn's for gevent, where there is no gunicorn."""

import signal
import socket
import sys
from pathlib import Path

import pytest
from running import LIMIT, Load, Server
from theirs_type import Theirs

GREEN = """
from gunicorn.workers.ggevent import GeventPyWSGIWorker, GeventWorker

class Theirs(GeventWorker):
    def patch(self):
        self.log.info("patch")
        super().patch()

    def notify(self):
        super().notify()
        self.log.info("notified")

class Served(GeventPyWSGIWorker):
    pass
"""

ECHO = """
def app(environ, start_response):
    ws = environ.get("wsgi.websocket")
    if ws is None:
        start_response("200 OK", [])
        return [b"plain"]
    while (message := ws.receive()) is not None:
        ws.send(message)
    return []
"""

PLUGINS = Path(sys.prefix) / "plugins"

WEBSOCKET = "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"

ASKS = (
    "GET /echo HTTP/1.1\r\nHost: site\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


def masked(text: bytes) -> bytes:
    """A text frame of a client's."""
    mask = b"\x01\x02\x03\x04"
    data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(text))
    return b"\x81" + bytes([0x80 | len(text)]) + mask + data


def echo(server: Server, text: bytes) -> bytes:
    """Open a WebSocket and have a text sent back; the frame that comes."""
    with socket.create_connection(server.address, LIMIT) as client:
        client.sendall(ASKS.encode())
        reader = client.makefile("rb")
        while reader.readline() != b"\r\n":
            pass
        client.sendall(masked(text))
        return reader.read(2 + len(text))


@pytest.mark.soak
def test_it_patches_and_shows_life(theirs: Theirs) -> None:
    """With methods of its own."""
    server = theirs(GREEN)

    assert "/here" == server.get("/here").text
    server.wait_for_log("patch\n(.|\n)*notified")


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["theirs:Theirs", "theirs:Served"])
def test_a_reload_loses_nothing(theirs: Theirs, kind: str) -> None:
    """Whether our driver serves or gevent's own server."""
    server = theirs(GREEN, "--workers=2", kind=kind)
    with Load(server.address) as load:
        server.signal(signal.SIGHUP)
        server.wait_for_log("every worker is of generation 2")
        load.wait_for_requests()

    assert [] == load.losses


@pytest.mark.soak
def test_gevent_s_server_writes_the_access_log(theirs: Theirs) -> None:
    """As gunicorn's handler does."""
    server = theirs(GREEN, "--access-logfile=access.log", kind="theirs:Served")
    server.get("/here")
    server.stop()

    log = (server.directory / "access.log").read_text()
    assert '"GET /here HTTP/1.1" 200' in log


@pytest.mark.skipif(not PLUGINS.is_dir(), reason="scripts/test installs the plugins")
def test_gevent_websocket_has_its_connection(theirs: Theirs) -> None:
    """Its worker, unmodified, echoes on a WebSocket."""
    server = theirs(ECHO, kind=WEBSOCKET, app="theirs:app", path=str(PLUGINS))

    assert b"\x81\x05hello" == echo(server, b"hello")
