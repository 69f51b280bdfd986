"""One connection on an asyncio loop, over real sockets."""

import asyncio
import socket
import tempfile
from typing import Any

import pytest
from drivers.aio_loops import hello, run
from protocol.wire import PARSERS, Case, cases

from tiamat.drivers.service import Timeouts
from tiamat.protocol.headers import Names

WIRE = [*cases("valid"), *cases("invalid")]


@pytest.fixture(autouse=True)
def kind() -> None:
    """Nothing here runs on the evented driver, of which there are kinds."""


@pytest.mark.parametrize("parser", PARSERS)
def test_the_wire_corpus_gets_the_same_verdicts_here(parser: str) -> None:
    """As many answers as there are requests, and the status of the refusal."""

    def judge(case: Case) -> Any:
        verdict = case.run(parser, [case.wire])
        complete = sum(request.complete for request in verdict.requests)

        async def client(reader: Any, writer: Any) -> None:
            writer.write(case.wire)
            writer.write_eof()
            answer = await reader.read()
            statuses = [
                int(part[:3])
                for part in answer.split(b"HTTP/1.1 ")[1:]
                if part[:3] != b"100"
            ]
            wanted = [200] * complete
            if verdict.status:
                wanted.append(verdict.status)
            assert wanted == statuses[: len(wanted)], case.name

        return client

    for case in WIRE:
        run(
            hello,
            judge(case),
            parser=PARSERS[parser],
            limits=case.limits,
            names=Names(case.header_map),
        )


def test_a_body_streams_with_back_pressure() -> None:
    """An application that doesn't read stops the sender, and gets all when it does."""
    size = 20_000_000
    gate = asyncio.Event()
    sizes = []

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()
        message = await receive()
        sizes.append(len(message["body"]))
        total = sizes[0]
        while message["more_body"]:
            message = await receive()
            total += len(message["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % total})

    async def client(reader: Any, writer: Any) -> None:
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        body = asyncio.ensure_future(send_all(writer, bytes(size)))
        _, pending = await asyncio.wait((body,), timeout=0.3)
        assert pending  # the sender stands
        gate.set()
        await body
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in head
        assert await reader.readexactly(8) == b"%d" % size

    async def send_all(writer: Any, data: bytes) -> None:
        for start in range(0, len(data), 65536):
            writer.write(data[start : start + 65536])
            await writer.drain()

    run(late, client)

    assert sizes[0] < 1_000_000


def test_send_waits_for_a_slow_reader() -> None:
    """A stream to somebody who does not read stands still; then it all comes."""
    sent = 0

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(2000):
            await send(
                {"type": "http.response.body", "body": bytes(10000), "more_body": True}
            )
            sent += 10000
        await send({"type": "http.response.body"})

    async def client(reader: Any, writer: Any) -> None:
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        before = -1
        while before != sent:  # until it stands
            before = sent
            await asyncio.sleep(0.05)
        assert sent < 20_000_000
        assert len(await reader.read()) == 20_000_000

    run(stream, client)


def test_receive_tells_that_the_client_has_gone_and_send_raises() -> None:
    """``http.disconnect``, then an OSError (ASGI 2.4)."""
    seen: list[Any] = []

    async def listen(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        seen.append((await receive())["type"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send(
                    {"type": "http.response.body", "body": b"x", "more_body": True}
                )
                await asyncio.sleep(0)
        except OSError:
            seen.append("OSError")

    async def client(reader: Any, writer: Any) -> None:
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await writer.drain()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0] * 2))
        writer.transport.abort()

    run(listen, client)

    assert ["http.disconnect", "OSError"] == seen


def test_100_continue_is_sent_when_the_application_first_receives() -> None:
    """And not before: an application that refuses at once spares the upload."""

    async def client(reader: Any, writer: Any) -> None:
        writer.write(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readline() == b"POST / 3\n"

    run(hello, client)


def test_an_answer_without_reading_closes_for_who_waits_for_100() -> None:
    """Nobody could tell whether a body or a request comes next."""

    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 403, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    async def client(reader: Any, writer: Any) -> None:
        writer.write(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        answer = await reader.read()
        assert b"Connection: close\r\n" in answer
        assert answer.startswith(b"HTTP/1.1 403")

    run(refuse, client)


def test_a_half_closed_connection_gets_its_answer() -> None:
    """The end of what a client sends is not the end of its reading."""

    async def client(reader: Any, writer: Any) -> None:
        writer.write(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        writer.write_eof()
        assert (await reader.read()).endswith(b"GET /x 0\n")

    run(hello, client)


def test_a_head_that_does_not_end_gets_408() -> None:
    """``header_timeout``."""

    async def client(reader: Any, writer: Any) -> None:
        writer.write(b"GET / HTTP/1.1\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 408")

    run(hello, client, timeouts=Timeouts(header=0.1))


def test_an_idle_connection_is_closed() -> None:
    """``keepalive``."""

    async def client(reader: Any, writer: Any) -> None:
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await reader.read()).endswith(b"GET / 0\n")

    run(hello, client, timeouts=Timeouts(keepalive=0.1))


def test_files_are_sent_by_the_kernel() -> None:
    """``http.response.pathsend`` of a file larger than any buffer."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(8_000_000) + b"end")
        file.flush()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert "http.response.pathsend" in scope["extensions"]
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.pathsend", "path": file.name})

        async def client(reader: Any, writer: Any) -> None:
            for _ in range(2):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                assert b"Content-Length: 8000003\r\n" in head
                assert (await reader.readexactly(8_000_003)).endswith(b"end")

        run(app, client)


def test_a_large_body_that_nobody_reads_is_not_in_the_way() -> None:
    """What came of it is here to its end: the next request is read."""
    sent = asyncio.Event()

    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await sent.wait()
        for _ in range(20):  # the rest comes meanwhile
            await asyncio.sleep(0)
        await hello({**scope, "path": "/refused"}, body_of_nothing, send)

    async def client(reader: Any, writer: Any) -> None:
        for size in (66_000, 70_000, 200_000):
            sent.clear()
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % size)
            writer.write(b"\r\nb")
            await asyncio.sleep(0)
            writer.write(bytes(size - 1))
            await writer.drain()
            sent.set()
            await reader.readuntil(b"POST /refused 0\n")

    run(refuse, client)


async def body_of_nothing() -> dict[str, object]:
    """What hello reads in place of the body."""
    return {"type": "http.request", "body": b"", "more_body": False}
