"""Sockets in the hands of protocols that are not ours."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Iterator

import pytest
from apps.servers.echo_protocol import Echo
from running import LIMIT

from tiamat.drivers.tcp import Protocols, in_flight

LOG = logging.getLogger("tests.tcp")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket that does not block."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        yield sock


async def until(condition: object) -> None:
    """Give the loop turns until something holds."""
    deadline = time.monotonic() + LIMIT
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


def test_no_more_are_taken_than_there_may_be(listener: socket.socket) -> None:
    """Others wait in the kernel's queue until one has gone."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        serving = Protocols(Echo, [listener], loop, LOG, limit=1)
        serving.begin()
        where = listener.getsockname()
        first = await asyncio.open_connection(*where)
        second = await asyncio.open_connection(*where)
        first[1].write(b"one\n")

        assert b"one\n" == await first[0].readline()

        second[1].write(b"two\n")
        answer = asyncio.ensure_future(second[0].readline())
        await asyncio.sleep(0)

        assert 1 == serving.connections == serving.handled

        first[1].close()

        def goes_on() -> bool:
            serving.look()
            return answer.done()

        await until(goes_on)

        assert b"two\n" == await answer

        serving.close_listeners()

        assert 1 == await serving.drain(loop.time())
        with contextlib.suppress(ConnectionResetError):
            assert b"" == await second[0].read()
        second[1].close()

    asyncio.run(main())


def test_a_protocol_that_fails_is_in_the_log(
    listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    """And its connection is closed."""

    def make() -> asyncio.Protocol:
        raise LookupError("no protocol")

    async def main() -> None:
        serving = Protocols(make, [listener], asyncio.get_running_loop(), LOG)
        serving.begin()
        reader, writer = await asyncio.open_connection(*listener.getsockname())

        assert b"" == await reader.read()

        serving.close_listeners()
        writer.close()

    asyncio.run(main())

    assert "LookupError: no protocol" in caplog.text


def test_a_server_may_say_how_much_it_has() -> None:
    """As a number, by a method, or not at all."""

    class Number:
        in_flight = 2

    class Method:
        def in_flight(self) -> int:
            return 3

    assert [2, 3, 0] == [in_flight(one) for one in (Number(), Method(), object())]
