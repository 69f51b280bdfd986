"""What befalls a server from outside, and that it serves on."""

import http.client
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Serve
from running import LIMIT, Load, Server, ended, get, state, wait_until

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux's own")

# The first worker boots at once, the others wait for the file ``go``.
WAITS = """
import os, time
from apps.pid import app

if os.path.exists("wait"):
    open(f"importing-{os.getpid()}", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.02)
"""

EXITS = """
import sys
from apps.pid import app as pid

def app(environ, start_response):
    if environ["PATH_INFO"] == "/exit":
        sys.exit(0)
    return pid(environ, start_response)
"""

# The master gets orphans as a process 1 does, and an application that makes some.
SUBREAPER = """
def on_starting(server):
    import ctypes

    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
"""

ORPHANS = """
import os
from apps.pid import app as pid

def app(environ, start_response):
    if environ["PATH_INFO"] == "/orphans":
        for _ in range(int(environ["QUERY_STRING"])):
            child = os.fork()
            if child == 0:
                if os.fork() == 0:
                    os._exit(3)
                os._exit(0)
            os.waitpid(child, 0)
    return pid(environ, start_response)
"""


@pytest.fixture
def serve_text(serve: Serve, tmp_path: Path) -> Callable[..., Server]:
    """Start a server of an application that is given as text."""

    def start(text: str, *flags: str, **options: str) -> Server:
        directory = tmp_path / "server-0"
        directory.mkdir(exist_ok=True)
        (directory / "site_app.py").write_text(text)
        return serve("site_app:app", *flags, **options)

    return start


def importing(server: Server, count: int = 1) -> list[int]:
    """Wait until so many workers import, one after the other; the pids."""

    def pids() -> list[int]:
        marks = server.directory.glob("importing-*")
        return [int(mark.name.partition("-")[2]) for mark in marks]

    wait_until(lambda: len(pids()) == count, f"{count} workers import")
    return pids()


# --- Workers -------------------------------------------------------------------------


def test_a_worker_that_is_killed_while_it_imports_is_replaced(
    serve_text: Callable[..., Server],
) -> None:
    """The others serve meanwhile."""
    server = serve_text(WAITS, "--workers=2")
    server.expect("killed by SIGKILL, not by us")
    server.wait_for_log(r"serves", times=2)
    (server.directory / "wait").touch()
    os.kill(server.workers()[0], signal.SIGKILL)
    with Load(server.address) as load:
        (first,) = importing(server)
        os.kill(first, signal.SIGKILL)
        server.wait_for_log(f"pid={first} killed by SIGKILL, not by us")
        importing(server, 2)
        (server.directory / "go").touch()
        server.wait_for_log(r"serves", times=3)
        load.wait_for_requests()

    assert [] == load.losses


def test_a_worker_that_is_killed_while_it_drains_is_gone(serve: Serve) -> None:
    """Its request is lost, with a line that names it; nobody else's is."""
    server = serve("apps.slow:app")
    server.expect("killed by SIGKILL, not by us")
    client = server.begin("/?60")
    old = server.workers()[0]
    server.signal(signal.SIGHUP)
    server.wait_for_log(rf"pid={old} retires: reload")
    os.kill(old, signal.SIGKILL)
    line = rf"pid={old} killed by SIGKILL.*; in the application: GET /\?60 for "
    server.wait_for_log(line)
    with pytest.raises((OSError, http.client.HTTPException)):
        client.getresponse()

    assert 200 == server.get().status


def test_an_idle_worker_that_is_killed_held_nothing(serve: Serve) -> None:
    """The line of its end names no request that was answered long ago."""
    server = serve("apps.pid:app")
    server.expect("killed by SIGKILL, not by us")
    first = int(server.get().text)
    wait_until(lambda: state(first) == "S", "it waits for the next request")
    os.kill(first, signal.SIGKILL)
    line = server.wait_for_log(f"pid={first} killed by SIGKILL, not by us: .*\n")[0]

    assert "in the application" not in line


@pytest.mark.parametrize("worker", ["sync", "threads", "gevent"])
def test_sys_exit_in_a_request_is_an_error_of_that_request(
    serve_text: Callable[..., Server], worker: str
) -> None:
    """Its worker goes on."""
    server = serve_text(EXITS, f"--worker-class={worker}")
    server.expect("Traceback")
    before = server.get().text
    failed = server.get("/exit")

    assert 500 == failed.status
    assert before == server.get().text


@linux
@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.soak)])
def test_strangers_that_become_ours_are_buried(
    serve_text: Callable[..., Server], count: int
) -> None:
    """As process 1 of a container has them; nothing else is disturbed."""
    server = serve_text(ORPHANS, config=SUBREAPER)
    before = server.get(f"/orphans?{count}").text
    wait_until(lambda: not server.zombies(), "all are buried")
    after = server.get().text

    assert before == after
    assert [int(after)] == server.workers()
    assert "status 3" not in server.log


REVIVES = """
import ctypes, time
from pathlib import Path
from tiamat.system.unpatched import unpatched
from tiamat.workers import helper

def app(environ, start_response):
    if environ["PATH_INFO"] == "/block":
        Path("begun").touch()
        # As on a machine so busy that the thread which answers does not get to run.
        helper.stacks_of_others = lambda main: unpatched("time", "sleep")(60)
        ctypes.CDLL(None).sleep(1000)
    time.sleep(0.05)
    start_response("200 OK", [])
    return [b"done"]
"""


@linux
@pytest.mark.parametrize("worker", ["sync", "gevent"])
def test_a_silent_worker_that_goes_on_takes_nobody_with_it(
    serve_text: Callable[..., Server], worker: str
) -> None:
    """
    The signal that asks for its stacks ends the call in C that it waits in.

    From then on it could serve, until it is killed: it accepts nobody any more.
    """
    server = serve_text(REVIVES, f"-k{worker}", "--workers=2", "--timeout=5")
    server.wait_for_log("serves", times=2)
    blocked = server.begin("/block")
    with Load(server.address, clients=20) as load:
        server.wait_for_log(r"silent for .* in the application: GET /block")
        server.wait_for_log(r"serves", times=3)
        server.wait_for_log(r"pid=\d+ (ended after ABRT|exited): silent for")
        load.wait_for_requests()
    blocked.close()

    assert [] == load.losses, server.log


SLOW = """
import asyncio, time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(1.5)  # here it is slow
    start_response("200 OK", [])
    return [b"done"]

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError
    if scope["path"] == "/slow":
        await asyncio.sleep(1.5)  # here it is slow
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})
"""


@pytest.mark.parametrize("worker", ["sync", "threads", "gevent", "asgi"])
def test_a_slow_request_is_logged_with_its_stack(
    serve_text: Callable[..., Server], worker: str
) -> None:
    """Once, while it is slow; the query, which has secrets, is left out."""
    text = SLOW
    if worker == "asgi":
        text = text.replace("def app", "def wsgi").replace("def asgi", "def app")
    server = serve_text(text, f"--worker-class={worker}", "--slow-request-log=0.2")
    answer = server.get("/slow?password=x").text
    server.wait_for_log("GET /slow .*for .*(\n.*)*here it is slow")
    server.get("/")

    assert "done" == answer
    assert "password" not in server.log
    assert 1 == server.log.count("here it is slow")


# --- The master ----------------------------------------------------------------------


def test_a_master_that_is_killed_during_a_reload_leaves_nobody(
    serve_text: Callable[..., Server], serve: Serve
) -> None:
    """
    Neither the old workers nor the one that imports; a new start succeeds.

    Who has not served anybody yet has nothing to finish.
    """
    server = serve_text(WAITS, "--graceful-timeout=600", bind="127.0.0.1:0")
    address = server.address
    server.wait_for_log("serves")
    (server.directory / "wait").touch()
    server.signal(signal.SIGHUP)
    importing(server)
    server.signal(signal.SIGKILL)
    server.process.wait(LIMIT)
    server.wait_until_all_are_gone()
    host, port = address
    again = serve("apps.pid:app", bind=f"{host}:{port}")
    again.wait_for_log("serves")

    assert 200 == get(address).status


def test_a_reload_without_descriptors_changes_nothing(serve: Serve) -> None:
    """The master has none for it; when it has some again, it reloads."""
    server = serve("apps.pid:app")
    before = server.get().text
    used = len(os.listdir(f"/proc/{server.pid}/fd"))
    limit = resource.RLIMIT_NOFILE
    resource.prlimit(server.pid, limit, (used, used + 1000))
    server.signal(signal.SIGHUP)
    server.wait_for_log("can't fork worker 0: .*Too many open files\n")
    server.wait_for_log("reload refused, going on as before: boot failed")
    assert before == server.get().text
    resource.prlimit(server.pid, limit, (used + 100, used + 1000))
    server.signal(signal.SIGHUP)
    server.wait_for_log("every worker is of generation 2")

    # The old worker was told to leave; what it has accepted by then it answers.
    wait_until(lambda: before != server.get().text, "the new worker serves")


def test_a_second_term_changes_nothing_and_int_ends(serve: Serve) -> None:
    """TERM, TERM, INT: patience, patience, and then none."""
    server = serve("apps.slow:app", "--graceful-timeout=60")
    client = server.begin("/?60")
    for number in (signal.SIGTERM, signal.SIGTERM):
        server.signal(number)
    server.wait_for_log("TERM: finishing what is here")
    server.wait_for_log("retires: the server stops")
    assert ended(server.pid) is False
    server.signal(signal.SIGINT)
    status = server.wait_for_exit()
    client.close()

    assert 0 == status
    assert 1 == server.log.count("TERM: finishing")


def test_many_ttin_and_ttou_end_where_they_should(serve: Serve) -> None:
    """Each that is heard counts; no process is left over, no request lost."""
    server = serve("apps.pid:app", "--workers=2")
    server.wait_for_log("serves", times=2)
    with Load(server.address) as load:
        for count in range(3, 7):
            server.signal(signal.SIGTTIN)
            server.wait_for_log(f"TTIN: {count} workers from now on")
        for count in range(5, 3, -1):
            server.signal(signal.SIGTTOU)
            server.wait_for_log(f"TTOU: {count} workers from now on", times=1)
        wait_until(lambda: len(server.workers()) == 4, "four are left")
        load.wait_for_requests()

    assert [] == load.losses


# --- The machine ---------------------------------------------------------------------


def test_a_full_disk_for_the_logs_stops_nobody(serve: Serve) -> None:
    """Lines are lost, requests are not; nor is the exit."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    server = serve(
        "apps.pid:app",
        "--error-logfile=/dev/full",
        "--access-logfile=/dev/full",
        "--workers=2",
        bind="127.0.0.1:0",
        config="def when_ready(server):\n"
        "    open('port', 'w').write(str(server.address[0][1]))\n"
        "    import os; os.rename('port', 'bound')\n",
    )
    bound = server.directory / "bound"
    wait_until(bound.exists, "it listens")
    address = "127.0.0.1", int(bound.read_text())
    with Load(address) as load:
        load.wait_for_requests(50)
        server.signal(signal.SIGHUP)
        load.wait_for_requests(200)
        server.signal(signal.SIGUSR1)
        load.wait_for_requests(50)

    assert [] == load.losses
    assert 0 == server.stop()


def test_a_log_that_is_cut_short_goes_on_at_its_beginning(serve: Serve) -> None:
    """copytruncate of logrotate: no hole of zeros is left."""
    server = serve("apps.pid:app")
    server.wait_for_log("serves")
    os.truncate(server.log_path, 0)
    server.signal(signal.SIGUSR1)
    server.wait_for_log("USR1: logs reopened")

    assert "\0" not in server.log
    assert server.log.startswith("[")


FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


@linux
@pytest.mark.soak
@pytest.mark.parametrize("change", ["+1d", "-1d"])
def test_a_clock_that_is_set_disturbs_nobody(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Nobody is late and nothing is due by the wall clock; the log shows it."""
    if not FAKETIME.exists():
        pytest.skip("needs Debian's libfaketime")
    setting = tmp_path / "faketime"
    setting.write_text("+0")
    for name, value in {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(setting),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }.items():
        monkeypatch.setenv(name, value)
    server = serve("apps.pid:app", "--workers=2", "--timeout=5")
    monkeypatch.undo()
    server.wait_for_log("serves", times=2)
    before = server.workers()
    today = server.get().headers["date"]
    with Load(server.address) as load:
        load.wait_for_requests()
        setting.write_text(change)
        wait_until(lambda: server.get().headers["date"][:8] != today[:8], "it is set")
        load.wait_for_requests(500)

    assert [] == load.losses
    assert before == server.workers()
