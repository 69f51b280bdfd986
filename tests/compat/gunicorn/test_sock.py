"""gunicorn's listeners."""

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from authority import make_authority

from tiamat.compat.gunicorn import sock
from tiamat.compat.gunicorn.config import Config


class Log:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def error(self, text: str, *args: object) -> None:
        """Keep it."""
        self.lines.append(text % args)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is closed at the end."""
    with ExitStack() as stack:
        yield stack


def settings(**values: object) -> Config:
    """These settings."""
    config = Config()
    for name, value in values.items():
        config.set(name, value)
    return config


def secured(directory: Path) -> Config:
    """Settings with a certificate."""
    cert, key = make_authority(directory).pair("localhost")
    return settings(certfile=str(cert), keyfile=str(key))


def test_an_address_is_listened_on(stack: ExitStack) -> None:
    """And what a listener has not, its socket has."""
    (listener,) = sock.create_sockets(settings(bind="127.0.0.1:0"), Log())
    stack.callback(listener.close)
    address = listener.getsockname()

    with socket.create_connection(address):
        accepted, _ = listener.sock.accept()
        accepted.close()
    assert f"http://127.0.0.1:{address[1]}" == str(listener)
    assert ("127.0.0.1", 0) == listener.cfg_addr
    assert isinstance(listener, sock.TCPSocket)
    assert listener.fileno() > 0


def test_connections_that_wait_are_counted(stack: ExitStack) -> None:
    """Where the kernel tells."""
    (listener,) = sock.create_sockets(settings(bind="127.0.0.1:0"), Log())
    stack.callback(listener.close)

    with socket.create_connection(listener.getsockname()):
        assert 1 == listener.get_backlog()


def test_a_path_is_listened_on(tmp_path: Path) -> None:
    """And its file goes with it."""
    path = tmp_path / "socket"

    listeners = sock.create_sockets(settings(bind=f"unix:{path}", umask=0o77), Log())

    assert [f"unix:{path}"] == [str(one) for one in listeners]
    assert 0o700 == path.stat().st_mode & 0o777
    sock.close_sockets(listeners)
    assert not path.exists()


def test_a_descriptor_is_taken_over(stack: ExitStack) -> None:
    """Instead of the addresses."""
    given = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    number = os.dup(given.fileno())

    listeners = sock.create_sockets(settings(), Log(), [number])

    stack.callback(sock.close_sockets, listeners)
    assert [given.getsockname()] == [one.getsockname() for one in listeners]


def test_an_address_in_use_ends_the_program(stack: ExitStack) -> None:
    """And the log has why."""
    other = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    port, log = other.getsockname()[1], Log()

    with pytest.raises(SystemExit):
        sock.create_sockets(settings(bind=f"127.0.0.1:{port}"), log)

    assert "in use" in log.lines[0]


def test_a_certificate_has_to_be_there() -> None:
    """Before anything is bound."""
    with pytest.raises(ValueError, match=r"certfile: there is no file"):
        sock.create_sockets(settings(certfile="/no/such/file"), Log())


def test_a_connection_speaks_tls(stack: ExitStack, tmp_path: Path) -> None:
    """With the certificate of the settings."""
    conf = secured(tmp_path)

    plain = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    wrapped = stack.enter_context(sock.ssl_wrap_socket(plain, conf))

    assert isinstance(wrapped, ssl.SSLSocket)
    assert not sock.is_http2_negotiated(wrapped)
    assert sock.get_negotiated_protocol(wrapped) is None


def test_the_hook_makes_the_context(tmp_path: Path) -> None:
    """Of the one that it would be otherwise."""
    made: list[Any] = []

    def hook(config: Any, default_ssl_context_factory: Any) -> Any:
        made.append(default_ssl_context_factory())
        return "another"

    conf = secured(tmp_path)
    conf.set("ssl_context", hook)

    assert "another" == sock.ssl_context(conf)
    assert isinstance(made[0], ssl.SSLContext)
