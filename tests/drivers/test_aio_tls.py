"""Connections over the TLS of an asyncio loop: what is otherwise there."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from tiamat.drivers.aio_tls import SecureAioConnection
from tiamat.gateways.asgi import Disconnected


class Transport:
    """Takes what it is given, and is full from time to time."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.data = b""

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.data += data


class Sender(SecureAioConnection):
    """One that sends to such a transport."""

    __slots__ = ("aborted", "drained")

    def __init__(self) -> None:
        self.transport = Transport(self)  # type: ignore[assignment]
        self.aborted = False
        self.drained = 0

    async def drain(self) -> None:
        self.drained += 1

    def abort(self) -> None:
        self.aborted = True


def test_a_file_is_read_and_sent_in_parts(tmp_path: Path) -> None:
    """Each when the client has taken enough of the last."""
    data = os.urandom(200_000)
    path = tmp_path / "file"
    path.write_bytes(data)
    sender = Sender()
    with path.open("rb") as file:
        asyncio.run(sender.send_file(file.fileno(), 1000, 150_000))

    assert data[1000:151_000] == sender.transport.data  # type: ignore[attr-defined]
    assert 3 == sender.drained


def test_a_file_that_became_shorter_is_the_end(tmp_path: Path) -> None:
    """The client has been told of more."""
    path = tmp_path / "file"
    path.write_bytes(b"short")
    sender = Sender()
    with path.open("rb") as file, pytest.raises(Disconnected):
        asyncio.run(sender.send_file(file.fileno(), 0, 6))

    assert sender.aborted
