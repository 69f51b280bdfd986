"""Worker scripts: whatever they return is served, and drained like the rest."""

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Serve
from running import LIMIT, Server, get, wait_until

KINDS = {
    "protocol": (),
    "lambda_protocol": (),
    "streams": (),
    "serves": (),
    "blocks": (),
    "socketservers": (),
    "handlers": (),
    "gevents": ("-k", "gevent"),
    "handlers-in-greenlets": ("-k", "gevent"),
    "socketservers-in-greenlets": ("-k", "gevent"),
}


def start(serve: Serve, kind: str, *flags: str, **options: str) -> Server:
    """A server whose workers serve a kind of server."""
    name, _, greenlets = kind.partition("-")
    words = ("-k", "tcp-gevent" if greenlets or name == "gevents" else "tcp")
    return serve(f"apps.servers.kinds:{name}", *words, *flags, **options)


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    """A connection."""
    with socket.create_connection(server.address, timeout=LIMIT) as sock:
        yield sock


def say(sock: socket.socket, line: bytes) -> bytes:
    """Send a line and wait for what comes; nothing is the end."""
    sock.sendall(line)
    return hear(sock)


def hear(sock: socket.socket) -> bytes:
    """The next line."""
    data = b""
    while not data.endswith(b"\n") and (more := sock.recv(1000)):
        data += more
    return data


def pid_of(server: Server) -> bytes:
    """The worker that takes a connection now, as it says."""
    with connected(server) as sock:
        return say(sock, b"pid\n")


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_outlives_a_reload(serve: Serve, kind: str) -> None:
    """
    Each kind echoes, and finishes what it has while a new worker takes what comes.
    """
    server = start(serve, kind)
    with connected(server) as old:
        first = say(old, b"pid\n")
        server.signal(signal.SIGHUP)
        # The old worker may take one more connection before it hears of it.
        wait_until(lambda: pid_of(server) != first, "the new worker serves")

        assert b"still here\n" == say(old, b"still here\n")
        assert first == say(old, b"pid\n")
    server.wait_for_log(r"worker 0 gen=1 pid=\d+ exited")

    assert "cut off" not in server.log


@pytest.mark.parametrize("kind", ["streams", "handlers", "serves"])
def test_who_stays_is_cut_off_at_the_end(serve: Serve, kind: str) -> None:
    """And the log has how many."""
    server = start(serve, kind, "--graceful-timeout=0.5")
    with connected(server) as sock:
        say(sock, b"hello\n")
        server.signal(signal.SIGTERM)

        assert 0 == server.wait_for_exit()
        with contextlib.suppress(ConnectionResetError):
            assert b"" == sock.recv(100)
    if kind != "serves":
        server.wait_for_log("1 connections were cut off")


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_an_application_may_be_returned(serve: Serve, kind: str) -> None:
    """It is served as any other."""
    server = start(serve, kind)

    assert kind[:2] == get(server.address).text


def test_a_script_is_a_file(serve: Serve, tmp_path: Path) -> None:
    """Beside which its modules are; TIAMAT says that it must not bind."""
    (tmp_path / "server-0" / "deep").mkdir(parents=True)
    (tmp_path / "server-0" / "deep" / "beside.py").write_text("WORD = b'beside'\n")
    (tmp_path / "server-0" / "deep" / "script.py").write_text(
        "import os, beside\n"
        "def run(config):\n"
        "    def handler(sock, address):\n"
        "        text = os.environ['TIAMAT'], config.slot, list(config.sockets)\n"
        "        sock.sendall(repr((beside.WORD, text)).encode() + b'\\n')\n"
        "    return handler\n"
    )
    server = serve("", "--script=deep/script.py")
    with connected(server) as sock:
        host, port = server.address
        wanted = (b"beside", ("0", 0, [f"{host}:{port}"]))

        assert f"{wanted!r}\n".encode() == hear(sock)


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("nothing", 4, "returned an int, which is no server: return an object"),
        ("broken", 3, "LookupError: no database"),
        ("absent", 4, "has no attribute 'absent'"),
        ("gevents", 4, "add -k gevent"),
    ],
)
def test_what_is_no_server_is_refused(
    serve: Serve, name: str, status: int, text: str
) -> None:
    """With what to do instead."""
    server = serve(f"apps.servers.kinds:{name}", "-k", "tcp")
    server.expect("Traceback")

    assert status == server.wait_for_exit()
    assert text in server.log + server.output


def test_a_server_that_is_not_fit_takes_no_place(serve: Serve) -> None:
    """Its check says so, and the old one goes on."""
    server = start(serve, "serves")
    with connected(server) as sock:
        first = say(sock, b"pid\n")
        (server.directory / "unfit").touch()
        server.signal(signal.SIGHUP)
        server.wait_for_log("check\\(\\) says no")
        wait_until(lambda: "reload" in server.log, "it is told")
    with connected(server) as sock:
        assert first == say(sock, b"pid\n")


def test_a_killed_worker_is_replaced(serve: Serve) -> None:
    """As any other."""
    server = start(serve, "protocol")
    server.expect("SIGKILL")
    first = pid_of(server)
    os.kill(int(first), signal.SIGKILL)

    assert first != pid_of(server)


@pytest.mark.parametrize("kind", ["datagrams", "packets"])
def test_datagrams_are_served_through_a_reload(serve: Serve, kind: str) -> None:
    """By old workers until new ones do."""
    server = start(serve, kind, bind="udp://127.0.0.1:0")
    match = server.wait_for_log(r"listening on udp://127\.0\.0\.1:(\d+)")
    where = ("127.0.0.1", int(match[1]))

    def asked() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(LIMIT)
            sock.sendto(b"pid\n", where)
            return sock.recv(100)

    server.wait_for_log("serves", 2)  # the class, and that it does
    first = asked()
    server.signal(signal.SIGHUP)
    server.wait_for_log("every worker is of generation 2")
    wait_until(lambda: asked() != first, "the new worker answers")


def test_addresses_may_have_names(serve: Serve) -> None:
    """Also those that are handed on to a new master."""
    server = start(
        serve,
        "names",
        bind="none",
        config='bind = {"b": "127.0.0.1:0", "a": "127.0.0.1:0"}\n',
    )

    assert b"a b\n" == asked_of(server)

    server.signal(signal.SIGUSR2)
    new = int(server.wait_for_log(r"a new master starts, pid (\d+)")[1])
    server.wait_for_log("the new master serves, and so does this one")
    server.signal(signal.SIGTERM)
    server.process.wait()

    assert b"a b\n" == asked_of(server)

    os.kill(new, signal.SIGTERM)
    server.wait_until_all_are_gone()


def asked_of(server: Server) -> bytes:
    """What the first address says."""
    match = server.wait_for_log(r"listening on tcp://127\.0\.0\.1:(\d+)")
    where = ("127.0.0.1", int(match[1]))
    with socket.create_connection(where, timeout=LIMIT) as sock:
        return hear(sock)


def test_datagrams_are_for_scripts(serve: Serve) -> None:
    """There is no HTTP in them."""
    server = serve("apps.pid:app", bind="udp://127.0.0.1:0")

    assert 1 == server.wait_for_exit()
    assert "is for worker scripts only" in server.output


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["socketservers", "gevents", "handlers", "streams"])
def test_who_was_taken_before_a_stop_is_served(serve: Serve, kind: str) -> None:
    """Though nothing has begun to serve it: twenty come, and the server stops."""
    server = start(serve, kind, bind="127.0.0.1:0")
    where = server.address
    server.wait_for_log(r"worker 0 gen=1 pid=\d+ serves\n")
    with contextlib.ExitStack() as stack:
        many = [
            stack.enter_context(socket.create_connection(where, timeout=LIMIT))
            for _ in range(20)
        ]
        server.signal(signal.SIGTERM)
        for sock in many:
            sock.sendall(b"line\n")
        answers = [hear(sock) for sock in many]

    assert [b"line\n"] * 20 == answers
    assert 0 == server.wait_for_exit()
