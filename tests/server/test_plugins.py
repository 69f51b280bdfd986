"""
Workers of others, unmodified, where there is no gunicorn and where there is one.

scripts/test and scripts/soak put them into directories of .venv, which servers have on
their path: Tiamat's own environment has none of them.
"""

import contextlib
import http.client
import os
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from authority import Authority, make_authority, rest
from conftest import Serve
from embedding import STANDALONE, program, reloaded_and_stopped
from masters import stop_all, usr2
from running import LIMIT, Server, wait_until

ENVIRONMENT = Path(sys.prefix)

WITHOUT = f"{ENVIRONMENT / 'plugins'}:{ENVIRONMENT / 'needed'}"

PATHS = {"without": WITHOUT, "with": f"{WITHOUT}:{ENVIRONMENT / 'gunicorn'}"}
"""By whether gunicorn is installed: what servers have on their path."""

ASGI, AIO = "apps.asgi_life:app", "apps.aiohttp_site"

PLUGINS = {
    "uvicorn-worker": (ASGI, "uvicorn_worker.UvicornWorker"),
    "uvicorn-worker-h11": (ASGI, "uvicorn_worker.UvicornH11Worker"),
    "uvicorn.workers": (ASGI, "uvicorn.workers:UvicornWorker"),
    "aiohttp": (f"{AIO}:app", "aiohttp.GunicornWebWorker"),
    "aiohttp-uvloop": (f"{AIO}:make", "aiohttp.worker.GunicornUVLoopWebWorker"),
    "aiohttp-entry": (f"{AIO}:make", "egg:aiohttp_site#theirs"),
}

HOOKS = """
def post_fork(server, worker):
    server.log.info("post_fork %s %s", type(worker).__name__, worker.pid)

def worker_exit(server, worker):
    server.log.info("worker_exit %s", type(worker).__name__)

def worker_abort(worker):
    worker.log.info("worker_abort %s", type(worker).__name__)
"""

soak = pytest.mark.soak


def need_plugins() -> None:
    """Without them a test is skipped; CI has them, for scripts/test brings them."""
    if not (ENVIRONMENT / "gunicorn").is_dir():
        if os.environ.get("CI"):
            pytest.fail("there is no .venv/gunicorn")
        pytest.skip("there is no .venv/gunicorn; scripts/test installs it")


class Plugged:
    """Starts servers with plugins."""

    def __init__(self, serve: Serve) -> None:
        self.serve = serve

    def __call__(self, name: str, where: str, *flags: str, config: str = "") -> Server:
        app, kind = PLUGINS.get(name, (name, ""))
        kinds = [f"--worker-class={kind}"] if kind else []
        return self.serve(app, *kinds, *flags, config=config, path=PATHS[where])


@pytest.fixture
def plugged(serve: Serve, tmp_path: Path) -> Plugged:
    """A server of a plugin; an entry point for one of them is in its directory."""
    need_plugins()
    info = tmp_path / "server-0" / "aiohttp_site-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: aiohttp-site\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[gunicorn.workers]\ntheirs = aiohttp.worker:GunicornWebWorker\n"
    )
    return Plugged(serve)


def pairs(*quick: tuple[str, str]) -> list[object]:
    """Every plugin in both environments; only these are not left to the soak."""
    return [
        pytest.param(
            *(name, where),
            marks=[] if (name, where) in quick else soak,
            id=f"{name}-{where}",
        )
        for name in PLUGINS
        for where in PATHS
    ]


def begin(server: Server, path: str) -> tuple[threading.Thread, list[int]]:
    """A request that is in the application now; its status comes into the list."""
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(server.get(path).status))
    thread.start()
    wait_until((server.directory / "notes").exists, "the request is there")
    return thread, statuses


@pytest.mark.parametrize(
    ("name", "where"),
    pairs(("uvicorn-worker", "with"), ("aiohttp", "without")),
)
def test_it_serves_reloads_and_stops(plugged: Plugged, name: str, where: str) -> None:
    """What is under way when it is replaced is answered."""
    server = plugged(name, where, config=HOOKS)
    first = int(server.get().text)
    thread, statuses = begin(server, "/slow")

    server.signal(signal.SIGHUP)
    server.wait_for_log("gen=2 pid=\\d+ serves")
    server.wait_for_log(f"pid={first} exited")
    thread.join(LIMIT)
    second = int(server.get().text)

    assert [200] == statuses
    assert [second] == server.workers()
    assert 0 == server.stop()
    assert 2 == len(re.findall("post_fork \\w+Worker", server.log))
    assert 2 == len(re.findall("worker_exit \\w+Worker", server.log))


@pytest.mark.parametrize(
    ("app", "name"),
    [
        ("apps.failing:app", "uvicorn-worker"),
        (f"{AIO}:fail", "aiohttp"),
    ],
)
@soak
@pytest.mark.parametrize("where", PATHS)
def test_what_can_not_start_ends_the_start(
    plugged: Plugged, app: str, name: str, where: str
) -> None:
    """It says so in its own loop, which is the worker's ``run``."""
    server = plugged(app, where, f"--worker-class={PLUGINS[name][1]}")
    server.expect("")

    assert 3 == server.wait_for_exit()
    assert "can't boot" in server.log
    assert "no database" in server.log


@soak
@pytest.mark.parametrize("where", PATHS)
@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("uvicorn-worker", ASGI, "apps.failing:app"),
        ("aiohttp", f"{AIO}:make", f"{AIO}:fail"),
    ],
)
def test_a_reload_to_what_can_not_start_is_rolled_back(
    plugged: Plugged, name: str, good: str, bad: str, where: str
) -> None:
    """Whoever serves goes on."""
    kind = f"worker_class = {PLUGINS[name][1]!r}\n"
    server = plugged("", where, config=f"{kind}wsgi_app = {good!r}")
    server.expect("")
    pid = server.get().text
    server.config_path.write_text(f"{kind}wsgi_app = {bad!r}")

    server.signal(signal.SIGHUP)
    server.wait_for_log("can't boot")
    server.wait_for_log("reload.*(refused|failed|rolled back|abandoned)")

    assert pid == server.get().text


@soak
@pytest.mark.parametrize(("name", "where"), pairs())
def test_a_blocked_one_is_killed_with_its_stack(
    plugged: Plugged, name: str, where: str
) -> None:
    """Its file tells that it is silent."""
    server = plugged(name, where, "--timeout=2", config=HOOKS)
    server.expect("")
    with socket.create_connection(server.address) as client:
        client.sendall(b"GET /block HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.wait_for_log(r"silent for \d+\.\d s \(timeout=2\), killing")
        server.wait_for_log(r"time\.sleep\(100\)")

    server.wait_for_log("worker 0 gen=1 pid=\\d+ serves", times=2)


@soak
@pytest.mark.parametrize(("name", "where"), pairs())
def test_an_idle_one_lives(plugged: Plugged, name: str, where: str) -> None:
    """It touches its file, or has it touched, for longer than it may be silent."""
    server = plugged(name, where, "--timeout=2")
    pid = server.get().text
    later = time.monotonic() + 5
    wait_until(lambda: time.monotonic() > later, "it has been idle for long enough")

    assert pid == server.get().text
    assert "silent" not in server.log


@soak
@pytest.mark.parametrize(("name", "where"), pairs())
def test_it_ends_behind_as_many_requests_as_it_counts(
    plugged: Plugged, name: str, where: str
) -> None:
    """And is replaced as one that is due."""
    server = plugged(name, where, "--max-requests=3")
    server.wait_for_log("serves")
    pids = set()

    def ask() -> bool:
        # Whom it has accepted when it stops, it may leave without an answer.
        with contextlib.suppress(OSError, http.client.HTTPException):
            pids.add(server.get().text)
        return len(pids) > 2

    wait_until(ask, "a third worker answers")

    assert "has lost" not in server.log


@soak
@pytest.mark.parametrize(("name", "where"), pairs())
def test_it_makes_room_for_a_new_master(
    plugged: Plugged, name: str, where: str
) -> None:
    """The old one's workers end in their own way, and the new one's serve."""
    server = plugged(name, where)
    first = server.get().text

    usr2(server)
    server.wait_for_log("pid=\\d+ serves", times=2)
    server.signal(signal.SIGTERM)
    server.wait_for_log(f"pid={first} exited")

    assert first != server.get().text
    stop_all(server)


@soak
@pytest.mark.parametrize(("name", "where"), pairs())
def test_it_is_more_and_less(plugged: Plugged, name: str, where: str) -> None:
    """By TTIN and TTOU; QUIT ends what is left at once."""
    server = plugged(name, where)
    server.wait_for_log("worker 0 gen=1 pid=\\d+ serves")

    server.signal(signal.SIGTTIN)
    server.wait_for_log("worker 1 gen=1 pid=\\d+ serves")
    server.signal(signal.SIGTTOU)
    server.wait_for_log("worker 1 gen=1 pid=\\d+ exited")
    server.signal(signal.SIGQUIT)

    assert 0 == server.wait_for_exit()


@pytest.mark.parametrize(
    ("name", "where"), [("uvicorn-worker", "with"), ("aiohttp", "without")]
)
@soak
def test_lines_of_its_access_log_are_in_ours(
    plugged: Plugged, name: str, where: str
) -> None:
    """In a file that is rotated."""
    server = plugged(name, where, "--access-logfile=access", "--log-level=info")
    path = server.directory / "access"
    server.get("/?one")
    wait_until(lambda: "one" in path.read_text(), "the request is in the log")
    path.rename(server.directory / "rotated")

    server.signal(signal.SIGUSR1)
    wait_until(path.exists, "the log is opened again")

    def goes_on() -> bool:
        server.get("/?two")
        return "two" in path.read_text()

    wait_until(goes_on, "it goes on there")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@soak
@pytest.mark.parametrize(("name", "where"), pairs())
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_speaks_tls(
    plugged: Plugged, authority: Authority, name: str, where: str
) -> None:
    """With the settings' certificate and key, by its own means."""
    cert = authority.issue("localhost", file=f"{name}-{where}.pem")
    server = plugged(name, where, f"--certfile={cert}", f"--keyfile={cert}")
    server.wait_for_log("listening on https://")

    with authority.connect(server.address) as client:
        client.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        assert rest(client).startswith(b"HTTP/1.1 200")


SUBCLASS = """
from gunicorn.workers.sync import SyncWorker

class Telling(SyncWorker):
    def handle_request(self, listener, req, client, addr):
        self.log.info("%s %s by %s", req.method, req.path, SyncWorker.__module__)
        return super().handle_request(listener, req, client, addr)
"""


def test_a_subclass_of_gunicorn_s_own_worker_is_driven(
    plugged: Plugged, tmp_path: Path
) -> None:
    """Where it is installed: by its real code, parser and all."""
    (tmp_path / "server-0" / "telling.py").write_text(SUBCLASS)
    server = plugged(
        "apps.pid:app", "with", "--worker-class=telling.Telling", config=HOOKS
    )

    assert int(server.get("/here").text) in server.workers()
    server.wait_for_log("GET /here by gunicorn.workers.sync")
    assert 0 == server.stop()


@soak
def test_gunicorn_s_own_workers_by_name_are_ours(plugged: Plugged) -> None:
    """Also where it is installed."""
    kind = "--worker-class=gunicorn.workers.sync.SyncWorker"
    server = plugged("apps.pid:app", "with", kind)

    server.get()

    assert "tiamat" in server.get().headers.get("server", "").lower()


@soak
def test_gevent_s_websocket_worker_is_driven(plugged: Plugged) -> None:
    """By the real gunicorn's classes, in a process that it patches."""
    kind = "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"
    server = plugged("apps.green_echo:app", "with", f"--worker-class={kind}")
    with socket.create_connection(server.address, LIMIT) as client:
        client.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        client.sendall(b"\x82\x82\0\0\0\0hi")
        echo = client.recv(4)

    assert head.startswith(b"HTTP/1.1 101")
    assert echo[2:] == b"hi"
    assert 0 == server.stop()


ARBITER = """
from gunicorn.arbiter import Arbiter

class OwnArbiter(Arbiter):
    def manage_workers(self):
        self.log.info("manage_workers of %s", Arbiter.__module__)
        super().manage_workers()
"""

INSTRUMENTED = """
from opentelemetry import trace
from opentelemetry.instrumentation.gunicorn import GunicornInstrumentor

def post_fork(server, worker):
    class Tracer(trace.NoOpTracer):
        def start_as_current_span(self, name, *args, **options):
            worker.log.info("span %s", name)
            return super().start_as_current_span(name, *args, **options)

    instrumentor = GunicornInstrumentor()
    class Provider(trace.NoOpTracerProvider):
        def get_tracer(self, *args, **options):
            return Tracer()

    instrumentor.instrument(tracer_provider=Provider(), skip_dep_check=True)
"""


@soak
@pytest.mark.parametrize("where", PATHS)
def test_opentelemetry_sees_requests(
    plugged: Plugged, tmp_path: Path, where: str
) -> None:
    """It wraps the worker's method, which is the one that is called."""
    (tmp_path / "server-0" / "telling.py").write_text(SUBCLASS)
    flag = "--worker-class=telling.Telling"
    server = plugged("apps.pid:app", where, flag, config=INSTRUMENTED)

    server.get("/here")

    server.wait_for_log("span gunicorn.request")


@soak
def test_programs_are_ours_beside_gunicorn_if_they_choose_so(
    plugged: Plugged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then no module of the real one is mixed in."""
    monkeypatch.setenv("TIAMAT_GUNICORN", "shim")
    run = "OwnArbiter(StandaloneApplication(options)).run()"
    code = program(tmp_path, STANDALONE, ARBITER, run)
    server = plugged.serve("", program=code, path=PATHS["with"])

    assert [] == reloaded_and_stopped(server)
    assert "manage_workers of tiamat.compat.gunicorn.arbiter" in server.log


PROMETHEUS = """
import os
os.environ["PROMETHEUS_MULTIPROC_DIR"] = os.path.abspath("numbers")
os.makedirs("numbers", exist_ok=True)
from prometheus_client import multiprocess

def child_exit(server, worker):
    multiprocess.mark_process_dead(worker.pid)

def post_worker_init(worker):
    from prometheus_client import Gauge
    Gauge("alive", "", multiprocess_mode="livesum").set(1)
"""


@soak
@pytest.mark.parametrize("where", PATHS)
def test_prometheus_forgets_who_is_gone(plugged: Plugged, where: str) -> None:
    """By child_exit, which gets the pid."""
    server = plugged("uvicorn-worker", where, config=PROMETHEUS)
    first = server.get().text
    numbers = server.directory / "numbers"
    mine = numbers / f"gauge_livesum_{first}.db"
    wait_until(mine.exists, "it counts")

    server.signal(signal.SIGHUP)
    server.wait_for_log(f"pid={first} exited")
    wait_until(lambda: not mine.exists(), "it is forgotten")

    assert [f"gauge_livesum_{server.get().text}.db"] == os.listdir(numbers)
