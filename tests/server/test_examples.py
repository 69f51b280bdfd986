"""The servers of ``examples/servers``, each with a client that speaks its protocol."""

import contextlib
import itertools
import os
import shutil
import signal
import smtplib
import socket
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Serve
from running import LIMIT, Server, get, wait_until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

SERVERS = Path(__file__).resolve().parents[2] / "examples" / "servers"

Client = Callable[[Server], int]
"""Speaks with a server; how many times it was answered."""

NUMBERS = itertools.count()

LEAVES = "the server leaves, come again"

TRIES = 3
"""How often a resolver asks before it gives up."""


def start(serve: Serve, name: str, *flags: str, **options: str) -> Server:
    """An example in two workers, both of which serve."""
    app, words = "", [f"--script={SERVERS / name}.py"]
    if name == "chat":
        app = "examples.servers.chat:app"
        words = ["--worker-class=asgi", f"--pythonpath={SERVERS.parents[1]}"]
    if name == "dns":
        options["bind"] = "udp://127.0.0.1:0"
    server = serve(app, *words, "--workers=2", *flags, **options)
    server.wait_for_log(r"worker \d gen=1 pid=\d+ serves\n", 2)
    return server


class Lines:
    """A connection on which lines go and come."""

    def __init__(self, server: Server) -> None:
        self.sock = socket.create_connection(server.address, timeout=LIMIT)
        self.stream = self.sock.makefile("rb")

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stream.close()
        self.sock.close()

    def ask(self, text: str) -> str:
        """Send a line; the next one that comes, or nothing at the end."""
        self.sock.sendall(text.encode() + b"\r\n")
        return self.hear()

    def hear(self) -> str:
        """The next line, or nothing."""
        return self.stream.readline().decode().rstrip("\r\n")


def hello(server: Server) -> int:
    """As the original."""
    assert "Hello World\n" == get(server.address).text
    return 1


def echo(server: Server) -> int:
    """Line by line, unless the worker leaves and says so."""
    with Lines(server) as lines:
        for text in ("one", "two"):
            if (heard := lines.ask(text)) == LEAVES:
                return 1
            assert text == heard
    return 2


def keyvalue(server: Server) -> int:
    """Set, get, delete; a name of its own, since other workers hear of it later."""
    name = f"name-{next(NUMBERS)}"
    with Lines(server) as lines:
        assert "OK" == lines.ask(f"SET {name} a value")
        assert "a value" == lines.ask(f"GET {name}")
        assert "OK" == lines.ask(f"DEL {name}")
        assert "" == lines.ask(f"GET {name}")
        assert lines.ask("nonsense").startswith("ERROR")
    return 5


def smtp_sink(server: Server) -> int:
    """One mail."""
    with smtplib.SMTP(*server.address, timeout=LIMIT) as client:
        client.sendmail("me@site.example", ["you@site.example"], "Subject: hello\n\nhi")
    return 1


def redis_server(server: Server) -> int:
    """As lines, and as clients send arrays."""
    name = f"{threading.get_ident():020}"
    with Lines(server) as lines:
        assert "+PONG" == lines.ask("PING")
        assert "+OK" == lines.ask(f"*3\r\n$3\r\nSET\r\n$20\r\n{name}\r\n$1\r\n7")
        assert ":8" == lines.ask(f"INCR {name}")
        assert "$1" == lines.ask(f"GET {name}")
        assert "8" == lines.hear()
        assert ":1" == lines.ask(f"DEL {name}")
        assert "-ERR unknown command" == lines.ask("FLUSHALL")
    return 6


def redis_cli(server: Server) -> int:
    """The client of Redis itself."""
    host, port = server.address
    name = f"name-{next(NUMBERS)}"
    done = subprocess.run(
        ["redis-cli", "-h", host, "-p", str(port)],
        input=f"SET {name} 7\nINCR {name}\nGET {name}\nDEL {name}\n",
        capture_output=True,
        text=True,
        check=True,
    )

    assert ["OK", "8", "8", "1"] == done.stdout.split()
    return 4


def resolver(server: Server) -> tuple[str, int]:
    """Where questions go."""
    match = server.wait_for_log(r"listening on udp://127\.0\.0\.1:(\d+)")
    return "127.0.0.1", int(match[1])


def asked(server: Server, name: str = "www.site.example") -> bytes:
    """The address that the example of DNS knows for a name."""
    labels = b"".join(bytes([len(one)]) + one.encode() for one in name.split("."))
    query = struct.pack("!6H", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(LIMIT / TRIES)
        for attempt in range(TRIES):
            sock.sendto(query, resolver(server))
            with contextlib.suppress(TimeoutError):
                response = sock.recv(512)
                RETRIES[server.pid] += attempt
                break
        else:
            raise TimeoutError(f"{name} was asked for {TRIES} times")

    assert (4711, 1, 1) == struct.unpack_from("!H2xHH", response)
    return response[-4:]


RETRIES = Counter[int]()
"""Questions that had to be asked again, by the server that had not answered."""


def dns(server: Server) -> int:
    """One question."""
    assert bytes((127, 0, 0, 1)) == asked(server)
    return 1


def dig(server: Server) -> int:
    """A client of DNS that people use; it asks once."""
    host, port = resolver(server)
    flags = ("+short", "+tries=1", f"+time={LIMIT:.0f}", "-p", str(port))
    command = ["dig", f"@{host}", *flags, "www.site.example", "A"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "127.0.0.1\n" == done.stdout
    return 1


def chat(server: Server) -> int:
    """
    What one says both hear, unless it is told to come again.

    Of two masters each has messages of its own, so then only who says it hears it.
    """
    host, port = server.address
    with contextlib.ExitStack() as stack:
        one, other = (
            stack.enter_context(connect(f"ws://{host}:{port}/", open_timeout=LIMIT))
            for _ in range(2)
        )
        text = f"line {next(NUMBERS)}"
        try:
            one.send(text)
            assert hears(one, text, lambda: True)
            return 1 + hears(other, text, lambda: "a new master" not in server.log)
        except ConnectionClosed as end:
            if end.rcvd is None or end.rcvd.code not in {1001, 1012}:
                raise  # it was cut off, and nobody said why
            return 0


def hears(client: ClientConnection, text: str, goes_on: Callable[[], bool]) -> bool:
    """Whether a text comes, while it may."""
    for _ in range(int(LIMIT)):
        with contextlib.suppress(TimeoutError):
            while client.recv(1.0) != text:
                pass
            return True
        if not goes_on():
            return False
    raise TimeoutError(f"{text} was said, and not heard")


CLIENTS = {
    one.__name__: one for one in (hello, echo, keyvalue, smtp_sink, redis_server)
}


@contextlib.contextmanager
def reloaded(server: Server, times: int) -> Iterator[None]:
    """Reload so many times, one behind the other, while the block runs."""
    server.signal(signal.SIGHUP)
    yield
    for generation in range(2, times + 2):
        server.wait_for_log(f"every worker is of generation {generation}")
        if generation <= times:
            server.signal(signal.SIGHUP)


@pytest.mark.parametrize("name", CLIENTS)
def test_an_example_serves_through_a_reload(serve: Serve, name: str) -> None:
    """Its client notices nothing."""
    server = start(serve, name)
    with reloaded(server, 1):
        for _ in range(5):
            CLIENTS[name](server)
    CLIENTS[name](server)


def test_dns_is_answered_through_a_reload(serve: Serve) -> None:
    """Over datagrams."""
    server = start(serve, "dns")
    with reloaded(server, 1):
        assert bytes((127, 0, 0, 1)) == asked(server)
    assert bytes((127, 0, 0, 1)) == asked(server)


def test_workers_of_a_store_tell_each_other(serve: Serve) -> None:
    """What is set at one is known at the other."""
    server = start(serve, "keyvalue")
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(Lines(server)) for _ in range(8)]

        assert "OK" == many[0].ask("SET colour blue")
        wait_until(
            lambda: {"blue"} == {one.ask("GET colour") for one in many}, "all know it"
        )


def test_who_stays_is_told_that_the_server_leaves(serve: Serve) -> None:
    """So that it may come again."""
    server = start(serve, "echo")
    with Lines(server) as lines:
        lines.ask("hello")
        server.signal(signal.SIGTERM)

        assert LEAVES == lines.hear()
        assert "" == lines.hear()


def test_a_chat_goes_across_workers(serve: Serve) -> None:
    """All hear what one says."""
    server = start(serve, "chat")
    host, port = server.address
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(connect(f"ws://{host}:{port}/", open_timeout=LIMIT))
            for _ in range(6)
        ]
        told: list[Any] = []
        for number, client in enumerate(clients):
            client.send(f"line {number}")
            told.append([one.recv(LIMIT) for one in clients])

    assert [[f"line {n}"] * 6 for n in range(6)] == told


FOR_SOAK: dict[str, tuple[Client, ...]] = {
    **{name: (client,) for name, client in CLIENTS.items()},
    "redis_server": (redis_server, redis_cli),
    "dns": (dns, dig),
    "chat": (chat,),
}
"""Of each example, the clients that load it."""


@pytest.mark.soak
@pytest.mark.parametrize("name", FOR_SOAK)
def test_an_example_serves_through_ten_reloads_and_a_re_exec(
    serve: Serve, name: str
) -> None:
    """
    Under load: no connection is lost, no question is left without an answer.
    """
    server = start(serve, name, "--reexec-mode=auto", "--reload-watch=0.1")
    failures: list[BaseException] = []
    answers = Counter[str]()
    stop = threading.Event()

    def load(client: Client) -> None:
        try:
            while not stop.is_set():
                answers[client.__name__] += client(server)
        except BaseException as failure:
            failures.append(failure)

    missing = {"redis_cli": "redis-cli", "dig": "dig"}
    clients = [
        client
        for client in FOR_SOAK[name] * 4
        if shutil.which(missing.get(client.__name__, "sh"))
    ]
    threads = [threading.Thread(target=load, args=(one,)) for one in clients[:4]]
    for thread in threads:
        thread.start()
    with reloaded(server, 10):
        pass
    server.signal(signal.SIGUSR2)
    new = int(server.wait_for_log(r"a new master starts, pid (\d+)")[1])
    server.process.wait(LIMIT)
    stop.set()
    for thread in threads:
        thread.join()
    os.kill(new, signal.SIGTERM)
    server.wait_until_all_are_gone()
    print(f"{name}: {dict(answers)}, asked again: {RETRIES[server.pid]}")

    assert not failures
    assert 0 == RETRIES[server.pid]
    assert "cut off" not in server.log
