"""What applications do that count on gevent: ``/what?argument``."""

import ctypes
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from tiamat.types import Environ, StartResponse


def sleep(seconds: str) -> object:
    time.sleep(float(seconds))
    return seconds


def block(seconds: str) -> object:
    """C code that waits by itself, as gevent can't know."""
    Path("begun").touch()
    return ctypes.CDLL(None).sleep(int(seconds))


def compute(seconds: str) -> object:
    """Python that never lets others run."""
    until = time.monotonic() + float(seconds)
    while time.monotonic() < until:
        pass
    return seconds


def resolve(name: str) -> object:
    found = socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM)
    return found[0][4][0]


def run(word: str) -> object:
    done = subprocess.run(["sh", "-c", f"sleep 0.1; echo {word}"], stdout=-1)
    return done.stdout.decode().strip()


def thread(name: str) -> object:
    """A thread of the standard library's, which is a greenlet."""
    said: list[str] = []
    started = threading.Thread(target=lambda: said.append(name))
    started.start()
    started.join()
    return said[0]


def where(_: str) -> object:
    """Of which kind the sockets are."""
    return socket.socket.__module__


def ask(address: str) -> object:
    """Asks a server, perhaps this one."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(b"GET /resolve?localhost HTTP/1.0\r\n\r\n")
        return sock.makefile().read().rpartition("\n")[2]


def database(dsn: str) -> object:
    """PostgreSQL, which sleeps; psycogreen lets others run meanwhile."""
    import psycopg2

    with psycopg2.connect(dsn.replace("%20", " ")) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_sleep(1)")
        return "slept"


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """What the function of that name says."""
    function: Any = globals()[environ["PATH_INFO"][1:] or "where"]
    text = str(function(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]


def body(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """An application of its own: so many bytes came, or 20 MB for ``/large``."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/large":
        return [b"x" * 20_000_000]
    return [b"%d" % len(environ["wsgi.input"].read())]
