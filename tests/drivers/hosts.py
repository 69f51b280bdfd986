"""A host on a real socket, a thread for each connection, around one application."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from drivers.loops import read_all

from tiamat.drivers.blocking import BlockingConnection
from tiamat.drivers.host import Host
from tiamat.drivers.service import Finished, Timeouts, WSGIService
from tiamat.gateways.wsgi import WSGIGateway
from tiamat.gateways.wsgi_environ import Environs
from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.headers import HeaderMap, Names
from tiamat.protocol.http1 import ParserFactory
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser_httptools import Parser
from tiamat.system.scoreboard import Scoreboard

LOG = logging.getLogger("tests.drivers")


def make_host(
    app: Any,
    *,
    timeouts: Timeouts | None = None,
    limits: Limits | None = None,
    parser: ParserFactory = Parser,
    header_map: HeaderMap = "drop",
    busiest: int = 1000,
    finished: Finished | None = None,
) -> Host:
    """A host for connections that the test runs itself."""
    gateway = WSGIGateway(app, CommonHeaders(b"tiamat"), LOG)
    service = WSGIService(
        gateway=gateway,
        environs=Environs(),
        log=LOG,
        limits=limits or Limits(),
        names=Names(header_map),
        parser=parser,
        timeouts=timeouts or Timeouts(),
        finished=finished,
    )
    return Host(service, Scoreboard(4).take(), gateway.run, busiest=busiest)


class Hosting:
    """A host at work, and the address that it serves."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.listener.getsockname()
        self.stopping = False
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self) -> None:
        """Accept, and look at deadlines, until told to stop."""
        self.listener.settimeout(0.02)
        while not self.stopping:
            self.host.expire(self.host.late(time.monotonic()))
            try:
                sock, peer = self.listener.accept()
            except TimeoutError:
                continue
            sock.settimeout(None)
            base = self.host.service.environs.base("a", "80", "http")
            where = (peer[0], str(peer[1]))
            connection = BlockingConnection(self.host, sock, where, base)
            thread = threading.Thread(target=connection.run)
            self.host.connections[connection] = thread
            self.threads.append(thread)
            thread.start()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=20)

    def ask(self, data: bytes) -> bytes:
        """Send *data*, and everything that comes back until the server closes."""
        with self.connect() as sock:
            sock.sendall(data)
            return read_all(sock)

    def close(self) -> None:
        self.stopping = True
        self.threads[0].join(20)
        for connection in list(self.host.connections):
            connection.abort()
        for thread in self.threads:
            thread.join(20)
        self.listener.close()


@contextmanager
def hosting(app: Any, **options: Any) -> Iterator[Hosting]:
    """Serve *app* for the length of a ``with``."""
    server = Hosting(make_host(app, **options))
    try:
        yield server
    finally:
        server.close()
