"""TLS of connections that applications take over."""

import socket
import ssl
import threading
from pathlib import Path

import pytest
from authority import Authority, make_authority
from conftest import Serve
from running import LIMIT
from websockets.sync.client import connect

from tiamat.drivers.tls import TLSSocket
from tiamat.drivers.tls_released import ReleasedTLS
from tiamat.system.tls import Certificate, TLSValues, make_context

SITE = """
from flask import Flask
from flask_sock import Sock

app = Flask(__name__)
sock = Sock(app)

@sock.route("/echo")
def echo(ws):
    while True:
        ws.send(ws.receive())
"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)


class Deaf:
    """Does not care how a handshake goes."""

    def goes_on(self, sent: bool) -> None: ...
    def failed(self, error: OSError) -> None: ...
    def done(self, tls: object) -> None: ...


def pair(authority: Authority) -> tuple[ssl.SSLSocket, ReleasedTLS]:
    """A client, and the server's side of its connection, released."""
    cert = str(authority.issue("localhost"))
    context = make_context(TLSValues(certificates=[Certificate(cert)]))
    client, server = socket.socketpair()
    client.settimeout(LIMIT)
    server.settimeout(LIMIT)
    tls = TLSSocket(server, context)
    tls.opening = Deaf()  # type: ignore[assignment]
    made: list[ssl.SSLSocket] = []
    thread = threading.Thread(
        target=lambda: made.append(
            authority.client().wrap_socket(client, server_hostname="localhost")
        )
    )
    thread.start()
    while tls.opening is not None:
        try:
            if tls.opening is not None:
                tls._shake_hands(16384, tls.opening)
        except BlockingIOError:
            continue
    thread.join()
    released = tls.release()
    released.settimeout(LIMIT)
    return made[0], released


def test_it_reads_no_more_than_it_is_asked_for(authority: Authority) -> None:
    """The rest is pending, as with Python's own."""
    client, server = pair(authority)
    with client:
        client.sendall(b"0123456789")
        assert b"012" == server.recv(3)
        assert 7 == server.pending()
        buffer = bytearray(4)
        assert 4 == server.recv_into(buffer)
        assert b"3456" == buffer
        assert b"789" == server.recv(100)
        server.close()
        assert b"" == client.recv(1)  # close_notify: else it were an error


def test_one_thread_reads_and_another_writes(authority: Authority) -> None:
    """Megabytes both ways at the same time."""
    client, server = pair(authority)
    data = bytes(range(256)) * 4000
    came: list[bytes] = []

    def read() -> None:
        while got := server.recv(5000):
            came.append(got)

    threads = [
        threading.Thread(target=read),
        threading.Thread(target=server.sendall, args=(data,)),
    ]
    for thread in threads:
        thread.start()
    got = b""
    for start in range(0, len(data), 10_000):  # Python's own have no lock
        client.sendall(data[start : start + 10_000])
        got += client.recv(10_000)
    while len(got) < len(data):
        got += client.recv(65536)
    client.close()
    for thread in threads:
        thread.join(LIMIT)
    server.close()

    assert data == got
    assert data == b"".join(came)


@pytest.mark.parametrize(
    "worker", ["threads", "gevent", pytest.param("sync", marks=pytest.mark.soak)]
)
def test_libraries_speak_websocket_over_it(
    serve: Serve, authority: Authority, tmp_path: Path, worker: str
) -> None:
    """By ``gunicorn.socket``, as over plain connections."""
    cert = authority.issue("localhost")
    (tmp_path / "server-0").mkdir()
    (tmp_path / "server-0" / "secure_site.py").write_text(SITE)
    server = serve("secure_site:app", "-k", worker, f"--certfile={cert}")
    url = f"wss://localhost:{server.address[1]}/echo"
    with connect(url, ssl=authority.client(), open_timeout=LIMIT) as client:
        for text in ("one", "x" * 100_000, "three"):
            client.send(text)
            assert text == client.recv(LIMIT)
