"""One connection on an asyncio loop, over real sockets."""

import asyncio
import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Callable
from typing import Any

import pytest
from drivers.aio_loops import PATIENT, hello, reset, reset_now, run, until
from protocol.wire import PARSERS, Case, some_or_all

from tiamat.drivers.service import Timeouts
from tiamat.protocol.headers import Names
from tiamat.system.queues import unsent


@pytest.fixture(autouse=True)
def kind(aio_loop: str) -> str:
    """On each loop, and not on the evented driver, of which there are kinds."""
    return aio_loop


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("cases", some_or_all())
def test_the_wire_corpus_gets_the_same_verdicts_here(
    cases: Callable[[], list[Case]], parser: str
) -> None:
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
            if statuses and b"\r\nConnection: close\r\n" in answer:
                del wanted[len(statuses) :]  # it has asked for no 100, and no body
            assert wanted == statuses[: len(wanted)], case.name

        return client

    for case in cases():
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
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        except OSError:
            seen.append("OSError")

    async def client(reader: Any, writer: Any) -> None:
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await writer.drain()
        reset(writer)

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


def post(size: int, path: bytes = b"/") -> bytes:
    """The head of a request with a body of *size* bytes."""
    return b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (path, size)


GET = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
POST_LONG = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


async def careless(scope: Any, receive: Any, send: Any) -> None:
    """Answers without reading."""
    await hello(scope, body_of_nothing, send)


@pytest.mark.parametrize("head", [post(10_000), CHUNKED])
def test_a_short_body_that_nobody_reads_is_skipped(head: bytes) -> None:
    """The connection goes on behind it, as soon as its last byte is here."""
    wire = bytes(10_000)
    if head is CHUNKED:
        wire = b"2710\r\n" + wire + b"\r\n0\r\n\r\n"

    async def client(reader: Any, writer: Any) -> None:
        writer.write(head)
        await reader.readuntil(b"POST / 0\n")
        for start in range(0, len(wire), 1000):
            writer.write(wire[start : start + 1000])
            await asyncio.sleep(0)
        writer.write(GET)
        await reader.readuntil(b"GET /next 0\n")

    run(careless, client, timeouts=PATIENT)


@pytest.mark.parametrize("head", [post(1 << 30), CHUNKED])
def test_a_long_body_that_nobody_reads_costs_the_connection(head: bytes) -> None:
    """
    The response says so before, where the length is known: the next request on the
    connection would be lost. Of a chunked one it shows when too much has come.
    """
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"

    async def client(reader: Any, writer: Any) -> None:
        writer.write(head)
        answer = await reader.readuntil(b"POST / 0\n")
        assert (b"Connection: close" in answer) is (head is not CHUNKED)
        for _ in range(8):
            if not writer.is_closing():
                writer.write(chunk)
        assert b"" == await reader.read()

    run(careless, client, timeouts=PATIENT)


@pytest.mark.parametrize("rest", [b"", b"ab", b"ab\r\n"])
def test_an_end_within_a_body_that_nobody_reads_closes(rest: bytes) -> None:
    """What is missing won't come; and what is no chunk doesn't matter any more."""

    async def client(reader: Any, writer: Any) -> None:
        writer.write(CHUNKED)
        await reader.readuntil(b"POST / 0\n")
        writer.write(rest)
        writer.write_eof()
        assert b"" == await reader.read()

    run(careless, client, timeouts=PATIENT)


def test_who_asks_without_reading_has_to_wait() -> None:
    """
    No next request begins while the last response waits for its reader.

    Else one that never reads fills the worker's memory with responses.
    """
    asked = 0

    async def large(scope: Any, receive: Any, send: Any) -> None:
        nonlocal asked
        asked += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(10_000)})

    async def client(reader: Any, writer: Any) -> None:
        count = 2000
        sock = writer.get_extra_info("socket")
        for _ in range(count // 100):
            writer.write(GET * 100)
        (connection,) = servers[0].connections
        await until(lambda: connection.full or asked == count)
        assert connection.full
        for _ in range(100):  # what came goes on coming
            await asyncio.sleep(0)
        assert sock.fileno() > 0
        most = 65536 + 2 * 10_200
        assert connection.transport.get_write_buffer_size() <= most
        for _ in range(count):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(10_000)

    servers: list[Any] = []
    run(large, client, timeouts=PATIENT, made=servers.append)

    assert asked == 2000


def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    """An application that asks again and again whether its client has gone."""
    waiters = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for _ in range(100):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(receive(), 0.0001)
        (connection,) = servers[0].connections
        waiters.append(len(connection.waiters))
        await hello(scope, body_of_nothing, send)

    async def client(reader: Any, writer: Any) -> None:
        writer.write(GET)
        await reader.readuntil(b"GET /next 0\n")

    servers: list[Any] = []
    run(app, client, made=servers.append)

    assert [0] == waiters


def test_a_slow_reader_is_kept_as_long_as_it_takes_something() -> None:
    """
    Also where only the kernel knows: its buffers give it megabytes to take.

    Who takes nothing for ``write_timeout`` is closed.
    """

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send(
                {"type": "http.response.body", "body": bytes(65536), "more_body": True}
            )

    async def client(reader: Any, writer: Any) -> None:
        server = servers[0]
        sock = socket.create_connection(writer.get_extra_info("peername"))
        sock.sendall(GET)
        sock.setblocking(False)
        await until(lambda: any(c.full for c in server.connections))
        (connection,) = [c for c in server.connections if c.full]
        number = connection.transport.get_extra_info("socket").fileno()
        now = time.monotonic()
        for _ in range(20):  # ten times as long as may be without a byte
            before = unsent(number) + connection.transport.get_write_buffer_size()
            now += 15
            connection.sweep(now)
            while unsent(number) + connection.transport.get_write_buffer_size() == (
                before
            ):
                with contextlib.suppress(BlockingIOError):
                    sock.recv(65536)
                await asyncio.sleep(0)
        assert not connection.gone
        await until_it_stands(connection, number)
        connection.sweep(now)
        connection.sweep(now + 29)
        assert not connection.gone
        connection.sweep(now + 31)
        await until(lambda: connection.gone)
        sock.close()

    async def until_it_stands(connection: Any, number: int) -> None:
        """Until the peer's kernel has said what it takes."""
        before, same = -1, 0
        while same < 50:
            left = unsent(number) + connection.transport.get_write_buffer_size()
            same = same + 1 if left == before else 0
            before = left
            await asyncio.sleep(0.001)

    servers: list[Any] = []
    run(stream, client, made=servers.append)


def test_a_request_that_is_here_is_not_late() -> None:
    """A worker that was busy does not close for what it has not read yet."""

    async def client(reader: Any, writer: Any) -> None:
        sock = writer.get_extra_info("socket")
        writer.write(GET)
        await reader.readuntil(b"GET /next 0\n")
        (connection,) = servers[0].connections
        await until(lambda: connection.cycle is None)
        os.write(sock.fileno(), GET)
        connection.sweep(time.monotonic() + 100)
        await reader.readuntil(b"GET /next 0\n")
        connection.sweep(time.monotonic() + 100)
        assert b"" == await reader.read()

    servers: list[Any] = []
    run(hello, client, made=servers.append)


def test_who_waits_for_100_is_not_late() -> None:
    """The application thinks it over; from the 100 on ``body_timeout`` counts."""
    gate = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()
        await hello(scope, receive, send)

    async def client(reader: Any, writer: Any) -> None:
        writer.write(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        await until(lambda: servers[0].turns.running or servers[0].turns.streaming)
        (connection,) = servers[0].connections
        connection.sweep(time.monotonic() + 100)
        gate.set()
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sweep(time.monotonic() + 20)
        connection.sweep(time.monotonic() + 100)
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")

    servers: list[Any] = []
    run(app, client, made=servers.append)


def test_a_body_that_drips_gets_408() -> None:
    """It does not stall, but comes too slowly on the average."""

    async def client(reader: Any, writer: Any) -> None:
        writer.write(POST_LONG)
        await until(lambda: servers[0].turns.running or servers[0].turns.streaming)
        (connection,) = servers[0].connections
        writer.write(b"x")
        await until(lambda: connection.http.requests or connection.cycle.request.body)
        connection.sweep(connection.deadline - 1)
        assert connection.deadline - time.monotonic() < 11
        connection.sweep(connection.deadline + 1)
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")

    servers: list[Any] = []
    run(hello, client, made=servers.append)


def test_a_pause_in_reading_is_not_the_clients() -> None:
    """An application may think for as long as it likes: only our waiting counts."""
    paused = asyncio.Event()
    left: list[float] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        (connection,) = servers[0].connections
        await until(lambda: connection.paused)
        paused.set()
        connection.sweep(time.monotonic() + 10_000)
        connection._paused_at -= 1000.0  # so long ago
        while connection.paused:
            await receive()
        left.append(connection._body_at - time.monotonic())
        await hello(scope, receive, send)

    async def client(reader: Any, writer: Any) -> None:
        writer.write(POST_LONG + bytes(300_000))
        await paused.wait()
        writer.write(bytes(700_000))
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")

    servers: list[Any] = []
    run(app, client, made=servers.append)

    assert left[0] > 900


def test_who_sends_a_body_is_excused_while_we_were_away() -> None:
    """What an application took from all of them counts against none."""

    async def client(reader: Any, writer: Any) -> None:
        writer.write(POST_LONG)
        await until(lambda: servers[0].turns.running or servers[0].turns.streaming)
        (connection,) = servers[0].connections
        before = connection.deadline
        servers[0]._swept_at -= 1000.0
        servers[0].sweep()
        assert connection.deadline - before > 900
        writer.write(bytes(1_000_000))
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")

    servers: list[Any] = []
    run(hello, client, made=servers.append)


@pytest.mark.parametrize("wrong", ["broken", "late"])
def test_who_was_refused_is_a_client_that_has_gone(
    wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The application hears a disconnect, its answer an OSError, the log nothing."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            pass
        seen.append(message["type"])
        try:
            await hello(scope, body_of_nothing, send)
        except OSError:
            seen.append("OSError")
            raise

    async def client(reader: Any, writer: Any) -> None:
        writer.write(CHUNKED + b"1\r\na\r\n")
        await until(lambda: servers[0].turns.running or servers[0].turns.streaming)
        if wrong == "broken":
            writer.write(b"what?\r\n")
        else:
            (connection,) = servers[0].connections
            connection.sweep(time.monotonic() + 100)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 4")
        await until(
            lambda: not (servers[0].turns.running or servers[0].turns.streaming)
        )

    servers: list[Any] = []
    run(app, client, made=servers.append)

    assert ["http.disconnect", "OSError"] == seen
    assert "Traceback" not in caplog.text


def test_behind_a_complete_response_there_is_no_body() -> None:
    """``receive`` says so, instead of giving what is left of it as if it were all."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, body_of_nothing, send)
        await done.wait()
        seen.append((await receive())["type"])

    async def client(reader: Any, writer: Any) -> None:
        writer.write(post(3) + b"abc")
        await reader.readuntil(b"POST / 0\n")
        done.set()
        await until(lambda: seen)

    done = asyncio.Event()
    run(app, client)

    assert ["http.disconnect"] == seen


@pytest.mark.parametrize("way", ["send", "receive", "file"])
def test_a_client_that_goes_wakes_who_waits(way: str) -> None:
    """Wherever the application stands, with a reset, and it leaves no task."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            if way == "receive":
                seen.append((await receive())["type"])
                seen.append((await receive())["type"])
            await send({"type": "http.response.start", "status": 200, "headers": []})
            if way == "file":
                await send({"type": "http.response.pathsend", "path": file.name})
            while True:
                await send(
                    {"type": "http.response.body", "body": bytes(1 << 20)}
                    | {"more_body": True}
                )
        except OSError:
            seen.append("OSError")
            raise

    async def client(reader: Any, writer: Any) -> None:
        server = servers[0]
        writer.write(post(10) + b"abc" if way == "receive" else GET)
        await until(lambda: server.turns.running or server.turns.streaming)
        (connection,) = server.connections
        await until(lambda: connection.waiters)
        reset(writer)
        await until(lambda: not (server.turns.running or server.turns.streaming))
        assert not connection.waiters

    with tempfile.NamedTemporaryFile() as file:
        file.truncate(1 << 28)
        servers: list[Any] = []
        run(app, client, made=servers.append)

    assert seen[-1] == "OSError"


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_who_streams_without_a_break_hears_that_the_client_has_gone(
    version: bytes,
) -> None:
    """Though the loop had no turn since: a socket that failed takes no more."""
    sent: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = {"type": "http.response.body", "body": b"x", "more_body": True}
        await send(body)
        reset_now(clients[0])
        while len(sent) < 10_000:
            await send(body)
            sent.append(1)

    async def client(reader: Any, writer: Any) -> None:
        sock = socket.create_connection(writer.get_extra_info("peername"))
        clients.append(sock)
        sock.sendall(b"GET / HTTP/%s\r\nHost: a\r\n\r\n" % version)
        await until(lambda: servers[0].handled)

    clients: list[socket.socket] = []
    servers: list[Any] = []
    run(app, client, made=servers.append)

    assert len(sent) < 100


def test_a_stop_lets_a_body_come_and_a_pipelined_request_be() -> None:
    """The one that is being received is answered; what is behind it is not read."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await hello(scope, receive, send)

    async def client(reader: Any, writer: Any) -> None:
        server = servers[0]
        writer.write(post(6, b"/body") + b"abc")
        await until(lambda: server.turns.running or server.turns.streaming)
        drained = asyncio.ensure_future(server.drain(time.monotonic() + 30))
        await asyncio.sleep(0)
        writer.write(b"def" + GET)
        answer = await reader.read()
        assert answer.endswith(b"POST /body 6\n")
        assert b"Connection: close\r\n" in answer
        writer.close()
        await drained

    servers: list[Any] = []
    run(app, client, made=servers.append)

    assert ["/body"] == seen


def test_a_request_behind_a_stream_waits_for_its_end() -> None:
    """Also one whose client has ended its side: each gets its answer, in order."""
    gate = asyncio.Event()
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        if scope["path"] != "/stream":
            await hello(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await gate.wait()
        await send({"type": "http.response.body", "body": b"y"})

    async def client(reader: Any, writer: Any) -> None:
        writer.write(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n" + GET + GET)
        writer.write_eof()
        await reader.readuntil(b"1\r\nx\r\n")
        (connection,) = servers[0].connections
        await until(lambda: connection.ended)
        assert seen == ["/stream"]
        gate.set()
        rest = await reader.read()
        assert rest.startswith(b"1\r\ny\r\n0\r\n\r\nHTTP/1.1 200 OK")
        assert rest.count(b"GET /next 0\n") == 2

    servers: list[Any] = []
    run(app, client, made=servers.append)


def test_an_application_that_survives_its_end_can_still_receive() -> None:
    """``request_timeout`` cancels it; it hears a disconnect behind its 503."""
    seen = []

    async def stubborn(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await hello(scope, receive, send)
            seen.append((await receive())["type"])

    async def client(reader: Any, writer: Any) -> None:
        writer.write(GET)
        await until(lambda: servers[0].turns.running or servers[0].turns.streaming)
        servers[0]._look_at_running(time.monotonic() + 100)
        await reader.readuntil(b"GET /next 0\n")
        await until(lambda: seen)

    servers: list[Any] = []
    run(stubborn, client, timeouts=Timeouts(request=50), made=servers.append)

    assert ["http.disconnect"] == seen
