"""A connection that its application takes over."""

import socket
from typing import Any

import pytest
from gateways.answers import Answer, Wire

from tiamat.gateways.wsgi_socket import ApplicationSocket

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
)


class Leaving(Wire):
    """A transport that leaves its connection to the application."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self.sock = sock

    def detach(self) -> socket.socket:
        self.broken = True
        return self.sock


def test_only_who_wants_an_upgrade_is_offered_the_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Other requests don't pay for it; nor are drivers that can't let go asked.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"yes" if "gunicorn.socket" in environ else b"no"]

    ours, theirs = socket.socketpair()
    with ours, theirs:
        without = Answer(app, UPGRADE).body
        monkeypatch.setattr("gateways.answers.Wire", lambda: Leaving(ours))
        found = [Answer(app).body, Answer(app, UPGRADE).body]

    assert (b"no", [b"no", b"yes"]) == (without, found)


def test_the_first_use_takes_the_connection(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Then StopIteration is an end and not a failure, and 101 is what the log says.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["gunicorn.socket"].sendall(b"mine")
        raise StopIteration

    ours, theirs = socket.socketpair()
    with ours, theirs:
        monkeypatch.setattr("gateways.answers.Wire", lambda: Leaving(ours))
        answer = Answer(app, UPGRADE)
        said = theirs.recv(100)

    assert (b"mine", 101, "") == (said, answer.response.status, caplog.text)
    assert not answer.response.keep_alive


def test_what_came_early_is_read_first() -> None:
    """
    What the driver has read behind the head, then what the socket has.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"later")
        sock = ApplicationSocket(lambda: ours, lambda: b"early")
        unused = sock.used
        parts = [sock.recv(2), sock.recv(100), sock.recv(100)]

    assert [b"ea", b"rly", b"later"] == parts
    assert (False, True) == (unused, sock.used)
