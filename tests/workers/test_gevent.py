"""The gevent worker, in real processes: who waits for whom, and who holds up all."""

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from conftest import Serve
from drivers.loops import read_all
from programs import need
from running import LIMIT, Load, Server, answer_of, open_files, wait_until

from tiamat.workers import load_worker_class
from tiamat.workers.gevent import GeventWorker


def green(serve: Serve, *flags: str, app: str = "apps.green:app") -> Server:
    """A server with the gevent worker."""
    return serve(app, "-k", "gevent", *flags)


def ask(server: Server, path: str) -> socket.socket:
    """Send a request, and don't wait."""
    sock = socket.create_connection(server.address, timeout=LIMIT)
    sock.sendall(b"GET %s HTTP/1.0\r\n\r\n" % path.encode())
    return sock


def test_gunicorn_s_names_mean_it_too() -> None:
    """
    And it is one class.
    """
    for name in ("gevent", "gevent_wsgi", "gevent_pywsgi"):
        assert GeventWorker is load_worker_class(name)


def test_what_blocks_elsewhere_works(serve: Serve) -> None:
    """
    Sockets, names, subprocesses, threads, and a request to the same worker.
    """
    server = green(serve)

    assert "gevent._socket3" == server.get("/where").text
    assert "127.0.0.1" == server.get("/resolve?localhost").text
    assert "word" == server.get("/run?word").text
    assert "name" == server.get("/thread?name").text
    assert "127.0.0.1" == server.get("/ask?{}:{}".format(*server.address)).text


def test_a_thousand_sleep_at_a_time(serve: Serve) -> None:
    """
    None is lost; that many fit into one worker.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    server = green(serve, "--worker-connections=1000")
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(ask(server, "/sleep?0.1")) for _ in range(1000)]
        answers = [read_all(sock) for sock in socks]

    assert 1000 == sum(answer.endswith(b"\r\n\r\n0.1") for answer in answers)


def test_no_more_requests_than_worker_connections(serve: Serve) -> None:
    """
    What is more waits for its turn, here or in the kernel, and is served.
    """
    server = green(serve, "--worker-connections=2")
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(ask(server, "/sleep?0.05")) for _ in range(20)]
        answers = [read_all(sock) for sock in socks]

    assert 20 == sum(answer.endswith(b"\r\n\r\n0.05") for answer in answers)


def test_a_hub_that_c_code_blocks_is_noticed(serve: Serve) -> None:
    """
    The log has stack and request, the worker is replaced, the other one serves on.
    """
    server = green(serve, "--workers=2", "--timeout=6")
    server.wait_for_log(r"pid=\d+ serves", times=2)
    with server_begin(server, "/block?1000"), Load(server.address) as load:
        server.wait_for_log(
            r"silent for .* application: GET /block\S* for [\s\S]*green.py.* in block"
        )
        server.wait_for_log(r"pid=\d+ serves", times=3)
        load.wait_for_requests()

    assert [] == load.losses, server.log


def test_a_hub_without_a_breath_is_noticed(serve: Serve) -> None:
    """
    Python that computes for ever is silent, too.
    """
    server = green(serve, "--timeout=1")
    server.expect("SIGKILL")
    with ask(server, "/compute?1000"):
        server.wait_for_log(
            r"silent for .* application: GET /compute\S* for [\s\S]* in compute"
        )


@contextlib.contextmanager
def server_begin(server: Server, path: str) -> Iterator[None]:
    """A request that is in the application, and will not end."""
    with contextlib.closing(server.begin(path)):
        yield


def test_an_old_request_is_told_once_and_goes_on(serve: Serve) -> None:
    """
    A greenlet that waits for long is no silence of its worker.
    """
    server = green(serve, "--timeout=2")
    with ask(server, "/sleep?5") as sock:
        server.wait_for_log(r"worker .*: GET /sleep for [\s\S]*green.py.* in sleep")
        answer = read_all(sock)

    assert answer.endswith(b"\r\n\r\n5")
    assert 1 == server.log.count("GET /sleep for")


def test_request_timeout_ends_one_request(serve: Serve) -> None:
    """
    503 and the stack in the log; the others don't notice.
    """
    server = green(serve, "--request-timeout=2")
    server.expect("Traceback")
    with Load(server.address) as load:
        answer = server.get("/sleep?1000")
        load.wait_for_requests()

    assert [] == load.losses
    assert 503 == answer.status
    assert re.search(
        r"handling GET /sleep[\s\S]*in sleep[\s\S]*request_timeout=2", server.log
    )


def test_term_lets_greenlets_finish(serve: Serve) -> None:
    """
    What is in the application is answered, and the queue of the kernel, too.
    """
    server = serve("apps.green:app", "-k", "gevent", bind="127.0.0.1:0")
    server.get("/where")
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(ask(server, "/sleep?0.5")) for _ in range(30)]
        server.signal(signal.SIGTERM)
        answers = [read_all(sock) for sock in socks]

    assert 30 == sum(answer.endswith(b"\r\n\r\n0.5") for answer in answers)
    assert 0 == server.wait_for_exit()


def test_who_does_not_finish_is_ended(serve: Serve) -> None:
    """
    At the deadline the client hears 503, the log has the stack, the worker exits.
    """
    server = green(serve, "--graceful-timeout=1")
    server.expect("Traceback")
    server.get()
    with ask(server, "/sleep?1000") as sock:
        server.get()
        server.signal(signal.SIGTERM)
        answer = read_all(sock)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert 0 == server.wait_for_exit()
    assert re.search(r"handling GET /sleep[\s\S]*graceful_timeout=1", server.log)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_an_immediate_stop_waits_for_nobody(serve: Serve, number: int) -> None:
    """
    Whatever is under way.
    """
    server = green(serve)
    server.get()
    with ask(server, "/sleep?1000"):
        server.get()
        server.signal(number)

        assert 0 == server.wait_for_exit()


def test_reload_and_stop_lose_nothing(serve: Serve) -> None:
    """
    HUP and then TERM, under load.
    """
    server = green(serve, "--workers=2")
    server.wait_for_log(r"gen=1 .* serves", times=2)
    with Load(server.address, "/sleep?0.01") as load:
        for generation in (2, 3):
            server.signal(signal.SIGHUP)
            server.wait_for_log(rf"gen={generation} .* serves", times=2)
            load.wait_for_requests()
        load.stop()

    assert [] == load.losses
    assert 0 == server.stop()


def test_max_requests_replaces_the_worker(serve: Serve) -> None:
    """
    Nobody notices but the log.
    """
    server = green(serve, "--max-requests=20")
    with Load(server.address) as load:
        server.wait_for_log("retires: max_requests", times=2)

    assert [] == load.losses


def test_hooks_and_the_access_log_follow_each_request(serve: Serve) -> None:
    """
    Also one that was refused, and those of the last turn.
    """
    config = """
def pre_request(worker, request):
    worker.log.info("before %s", request.path)

def post_request(worker, request, environ, response):
    worker.log.info("behind %s: %s", request.path, response.status)
"""
    server = serve(
        *("apps.green:app", "-k", "gevent", "--access-logfile=access.log"),
        config=config,
    )
    server.get("/thread?name")
    with socket.create_connection(server.address, timeout=LIMIT) as sock:
        sock.sendall(b"nonsense\r\n\r\n")
        read_all(sock)
    server.get("/where")
    server.stop()
    lines = (server.directory / "access.log").read_text().splitlines()

    assert 3 == len(lines)
    assert '"GET /thread?name HTTP/1.1" 200 4' in lines[0]
    assert " 400 " in lines[1]
    assert "before /thread" in server.log
    assert "behind /where: 200" in server.log
    assert "Monkey-patching" not in server.log


def test_workers_finish_without_their_master(serve: Serve) -> None:
    """
    The helper hears of its death while a request is in the application.
    """
    server = green(serve)
    server.get()
    with ask(server, "/sleep?1") as sock:
        server.get()
        server.signal(signal.SIGKILL)
        answer = read_all(sock)

    assert answer.endswith(b"\r\n\r\n1")
    server.process.wait()
    server.wait_until_all_are_gone()
    assert "the master is gone" in server.log


def test_slow_clients_cost_a_greenlet(serve: Serve) -> None:
    """
    Fifty that send slowly and fifty that read nothing; others are served meanwhile.
    """
    server = green(serve, app="apps.green:body")
    head = b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\n"
    with contextlib.ExitStack() as stack:
        senders = [stack.enter_context(ask(server, "/large")) for _ in range(50)]
        readers = []
        for _ in range(50):
            sock = socket.create_connection(server.address, timeout=LIMIT)
            readers.append(stack.enter_context(sock))
            sock.sendall(head + b"a")
        for _ in range(20):
            assert "0" == server.get().text
        for sock in readers:
            sock.sendall(b"bc")
            assert read_all(sock).endswith(b"\r\n\r\n3")
        assert len(read_all(senders[0])) > 20_000_000


def test_a_process_that_the_application_forks_serves_nobody(serve: Serve) -> None:
    """
    It holds no listener, no connection, and shows no sign of life as the worker.
    """
    server = green(serve, app="apps.forking:app")
    connection = HTTPConnection(*server.address, timeout=LIMIT)
    connection.request("GET", "/", headers={"Connection": "close"})
    pid = int(answer_of(connection).text)
    connection.close()
    assert server.listener is not None
    listener = f"socket:[{os.fstat(server.listener.fileno()).st_ino}]"

    try:
        wait_until(lambda: listener not in open_files(pid), "it lets go of it")
    finally:
        os.kill(pid, signal.SIGKILL)


PYWSGI = """
from gevent import socket
from gevent.pywsgi import WSGIServer
from tiamat.workers.gevent import GeventWorker


class PyWSGIWorker(GeventWorker):
    def prepare(self):
        super().prepare()
        self.server = WSGIServer(("", 0), self.app, log=None, error_log=self.log)

    def begin(self, sock, address, base):
        ours = socket.socket(fileno=sock.detach())
        environ = {"SERVER_NAME": base["SERVER_NAME"], "SERVER_PORT": "80"}
        self.server.environ.update(environ)
        self.guests.spawn(self.server.handle, ours, address)
"""


def test_a_subclass_serves_in_its_own_way(serve: Serve, tmp_path: Path) -> None:
    """
    With gevent's own WSGI server, as docs/workers.md has it; a stop waits for it.
    """
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "own.py").write_text(PYWSGI)
    server = serve("apps.green:app", "-k", "own:PyWSGIWorker")
    text = server.get("/where").text
    with ask(server, "/sleep?1") as sock:
        server.get("/where")
        server.signal(signal.SIGTERM)
        answer = read_all(sock)

    assert "gevent._socket3" == text
    assert answer.endswith(b"\r\n\r\n1")


# --- PostgreSQL --------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    """A PostgreSQL of its own, on a Unix socket; the words to connect to it."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(found[-1]) if found else need("initdb")  # Debian has it in no PATH
    home = Path(f"/tmp/tiamat-pg-{os.getpid()}-{threading.get_ident() % 100000}")
    home.mkdir(mode=0o700)
    user = {}
    if os.getuid() == 0:  # which PostgreSQL refuses
        shutil.chown(home, "postgres", "postgres")
        user = {"user": "postgres", "group": "postgres"}
    command = [initdb, "-D", str(home / "data"), "-A", "trust", "-U", "postgres", "-N"]
    server = None
    try:
        subprocess.run(command, check=True, stdout=-3, cwd="/", **user)  # type: ignore[call-overload]
        command = [
            *(str(Path(initdb).with_name("postgres")), "-D", str(home / "data")),
            *("-k", str(home), "-c", "listen_addresses=", "-c", "fsync=off"),
        ]
        server = subprocess.Popen(command, cwd="/", stderr=-3, **user)  # type: ignore[call-overload]
        wait_until((home / ".s.PGSQL.5432").exists, "PostgreSQL listens")
        yield f"host={home}%20user=postgres%20dbname=postgres"
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)
            server.wait(LIMIT)
        shutil.rmtree(home)


def test_psycogreen_lets_others_run(serve: Serve, database: str) -> None:
    """
    Ten queries of a second, at a time, in one worker; others are served meanwhile.
    """
    config = """
def post_worker_init(worker):
    from psycogreen.gevent import patch_psycopg
    patch_psycopg()
"""
    server = serve("apps.green:app", "-k", "gevent", "--timeout=5", config=config)
    server.get("/resolve?localhost")
    with contextlib.ExitStack() as stack:
        socks = [
            stack.enter_context(ask(server, f"/database?{database}")) for _ in range(10)
        ]
        meanwhile = server.get("/resolve?localhost").text
        answers = [read_all(sock) for sock in socks]

    assert "127.0.0.1" == meanwhile
    assert 10 == sum(answer.endswith(b"\r\n\r\nslept") for answer in answers)
    assert "silent" not in server.log  # ten in a row would have been
