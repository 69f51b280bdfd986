"""WebSockets of real servers, and the client of websockets."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from conftest import Serve
from running import LIMIT, Server, wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

APP = "apps.talking:app"

every_worker = pytest.mark.parametrize(
    "flags",
    [
        ("-k", "asgi", "--asgi-loop=uvloop"),
        ("-k", "asgi", "--asgi-loop=asyncio"),
        ("-k", "h11", "--asgi-loop=asyncio"),
    ],
    ids=["uvloop", "asyncio", "h11"],
)


@contextmanager
def talking(
    server: Server, path: str = "/", **options: Any
) -> Iterator[ClientConnection]:
    """A client that is connected."""
    host, port = server.address
    with connect(
        f"ws://{host}:{port}{path}",
        proxy=None,
        max_size=None,
        open_timeout=LIMIT,
        close_timeout=LIMIT,
        **options,
    ) as client:
        yield client


def ends(server: Server) -> list[str]:
    """The codes that the application has heard."""
    try:
        return (server.directory / "ends").read_text().split()
    except FileNotFoundError:
        return []


@every_worker
def test_a_conversation(serve: Serve, flags: tuple[str, ...]) -> None:
    """Subprotocol, compression, fragments, large messages, and the end."""
    server = serve(APP, *flags)
    names = [Subprotocol("one"), Subprotocol("two")]
    with talking(server, subprotocols=names) as client:
        assert client.subprotocol == "two"
        assert client.protocol.extensions
        for message in ("grüß", b"\x00\xff", "a" * 100_000, b"b" * 2_000_000):
            client.send(message)
            assert message == client.recv(LIMIT)
        client.send(iter(("in ", "pieces")))
        assert client.recv(LIMIT) == "in pieces"
        assert client.ping().wait(LIMIT)
        client.close(4321)
    wait_until(lambda: ends(server) == ["4321"], "the application hears the code")


@every_worker
def test_a_denial(serve: Serve, flags: tuple[str, ...]) -> None:
    """A response of the application's choice."""
    server = serve(APP, *flags)
    with pytest.raises(InvalidStatus) as caught, talking(server, "/no"):
        pass

    assert caught.value.response.status_code == 401
    assert caught.value.response.body == b"who?"


@every_worker
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stop_and_a_reload_are_1012(
    serve: Serve, flags: tuple[str, ...], number: int
) -> None:
    """Both sides hear it at once; after a reload the client may come back."""
    server = serve(APP, *flags, "--graceful-timeout=40")
    with talking(server) as client:
        client.send("a")
        assert client.recv(LIMIT) == "a"
        server.signal(number)
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(LIMIT)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1012
    wait_until(lambda: ends(server) == ["1012"], "the application hears of it")
    if number == signal.SIGTERM:
        assert server.wait_for_exit() == 0
    else:
        with talking(server) as client:
            client.send("b")
            assert client.recv(LIMIT) == "b"


def test_the_settings_hold(serve: Serve) -> None:
    """Size, pings and compression; the client here answers pings by itself."""
    server = serve(
        APP, "-k", "asgi", "--websocket-max-message-size=100",
        "--websocket-compression=off", "--websocket-ping-interval=1",
        "--access-logfile=access",
    )  # fmt: skip
    with talking(server) as client:
        assert not client.protocol.extensions
        client.send("a" * 100)
        assert client.recv(LIMIT) == "a" * 100
        client.send("a" * 101)
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(LIMIT)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009
    access = server.directory / "access"
    wait_until(lambda: access.exists() and access.read_text(), "the access log")

    assert '"GET / HTTP/1.1" 101 ' in access.read_text()


def test_without_the_library_it_is_http(serve: Serve) -> None:
    """RFC 9110, 7.8: who cannot upgrade goes on in HTTP, and the log says why."""
    server = serve(
        APP, "-k", "asgi",
        config="import sys\nsys.modules['websockets'] = None\n",
    )  # fmt: skip
    server.wait_for_log(r"no WebSockets: .*pip install websockets")
    with pytest.raises(InvalidStatus) as caught, talking(server):
        pass

    assert caught.value.response.status_code == 200
