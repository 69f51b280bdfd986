"""A listener with gunicorn's names."""

import asyncio
import os
import socket
from collections.abc import Iterator

import pytest

from tiamat.compat.foreign_socket import ForeignSocket
from tiamat.config import Config
from tiamat.system.listener import Listener


@pytest.fixture
def listener() -> Iterator[ForeignSocket]:
    """One on a free port."""
    sock = socket.create_server(("127.0.0.1", 0))
    found = ForeignSocket(Listener(sock), Config(), None)
    with found:
        yield found


def test_it_has_gunicorn_s_names(listener: ForeignSocket) -> None:
    """And is a socket."""
    host, port = listener.getsockname()

    assert (host, port) == listener.cfg_addr
    assert f"http://127.0.0.1:{port}" == str(listener)
    assert listener.fileno() == listener.sock.fileno()
    assert socket.AF_INET == listener.FAMILY
    assert -1 == listener.get_backlog()


@pytest.mark.parametrize("use", ["fileno", "listen", "accept"])
def test_its_first_use_is_told_once(listener: ForeignSocket, use: str) -> None:
    """By whatever name: loops ask for the descriptor, others accept."""
    told: list[str] = []
    client = socket.create_connection(listener.getsockname())
    listener.before_use = lambda: told.append(use)

    with client:
        accepted = getattr(listener, use)()
        listener.fileno()

    assert [use] == told
    if use == "accept":
        accepted[0].close()


def test_an_event_loop_takes_it(listener: ForeignSocket) -> None:
    """As any socket."""

    async def main() -> bytes:
        async def serve(reader: object, writer: asyncio.StreamWriter) -> None:
            writer.write(b"here")
            writer.close()

        server = await asyncio.start_server(serve, sock=listener)
        reader, writer = await asyncio.open_connection(*listener.cfg_addr)
        text = await reader.read()
        writer.close()
        server.close()
        return text

    assert b"here" == asyncio.run(main())


def test_it_can_be_led_away(listener: ForeignSocket) -> None:
    """Who accepts finds nobody, and the address is free."""
    listener.lead_away()

    with pytest.raises(BlockingIOError):
        listener.accept()
    socket.create_server(listener.cfg_addr).close()


def test_a_number_that_is_another_s_is_left_alone(listener: ForeignSocket) -> None:
    """The descriptor was closed, and the next file has it."""
    number = listener.detach()
    os.close(number)
    reader, writer = os.pipe()
    os.dup2(reader, number)

    listener.lead_away()
    os.write(writer, b"x")

    assert b"x" == os.read(number, 1)
    for fd in {reader, writer, number}:
        os.close(fd)
