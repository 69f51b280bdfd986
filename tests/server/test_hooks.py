"""Every hook: its arguments, its process and its moment, in real servers."""

import os
import signal
from pathlib import Path

import pytest
from conftest import Serve
from masters import stop_all, usr2
from running import Server, children, ended, wait_until

HOOKS = """
import os

def note(name, home, *words):
    here = "master" if os.getpid() == home else "worker"
    if name == "pre_exec":
        here = "other" if os.getppid() == home else "wrong"
    with open("hooks", "a") as file:
        file.write(" ".join([name, here, *map(str, words)]) + "\\n")

def nworkers_changed(server, new, old): note("nworkers_changed", server.pid, new, old)
def on_starting(server): note("on_starting", server.pid, len(server.LISTENERS))
def when_ready(server): note("when_ready", server.pid, len(server.LISTENERS))
def pre_fork(server, worker): note("pre_fork", server.pid)
def post_fork(server, worker): note("post_fork", server.pid, worker.booted)
def post_worker_init(worker): note("post_worker_init", worker.ppid, worker.booted)
def pre_request(worker, req): note("pre_request", worker.ppid, req.method, req.path)
def post_request(worker, req, environ, resp):
    note("post_request", worker.ppid, req.path, environ["PATH_INFO"], resp.status)
def worker_int(worker): note("worker_int", worker.ppid)
def worker_abort(worker): note("worker_abort", worker.ppid)
def worker_exit(server, worker): note("worker_exit", server.pid)
def child_exit(server, worker): note("child_exit", server.pid, worker.pid > 0)
def on_reload(server): note("on_reload", server.pid)
def pre_exec(server): note("pre_exec", server.pid)
def on_exit(server): note("on_exit", server.pid)
"""

ASGI = """
import os

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError("no lifespan")
    if scope["path"] == "/stuck":
        import time
        time.sleep(1000)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""

WSGI = """
import os

def app(environ, start_response):
    if environ["PATH_INFO"] == "/stuck":
        import time
        time.sleep(1000)
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""

SITES = {
    "sync": WSGI, "asgi": ASGI, "gevent": WSGI, "threads": WSGI, "h11": ASGI
}  # fmt: skip

OTHERS = [
    pytest.param(kind, marks=pytest.mark.soak)
    for kind in SITES
    if kind not in {"sync", "asgi"}
]

START = [
    "nworkers_changed master 1 None",
    "on_starting master 0",
    "when_ready master 1",
]
FORK = ["pre_fork master", "post_fork worker False", "post_worker_init worker False"]
END = ["worker_exit worker", "child_exit master True"]


def start(serve: Serve, tmp_path: Path, kind: str, *flags: str) -> Server:
    """A server with all hooks and an application of this kind; it serves."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "site_of_test.py").write_text(SITES[kind])
    return serve("site_of_test:app", f"-k{kind}", *flags, config=HOOKS)


class Record:
    """What the hooks have written, read stage by stage."""

    def __init__(self, server: Server) -> None:
        self.path = server.directory / "hooks"
        self.read = 0

    def lines(self) -> list[str]:
        """What came since the last stage."""
        text = self.path.read_text() if self.path.exists() else ""
        return text.splitlines()[self.read :]

    def expect(self, *lines: str) -> None:
        """The next lines are these, in this order."""
        wait_until(lambda: len(self.lines()) >= len(lines), f"{lines} after others")
        assert self.lines()[: len(lines)] == list(lines)
        self.read += len(lines)


@pytest.mark.parametrize("kind", ["sync", "asgi", *OTHERS])
def test_hooks_are_called_in_order_where_they_belong(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    """From the start over requests, TTIN, a death, HUP and USR2 to the stop."""
    server = start(serve, tmp_path, kind)
    record = Record(server)
    server.get("/first")
    record.expect(*START, *FORK)
    record.expect("pre_request worker GET /first")
    record.expect("post_request worker /first /first 200 OK")

    server.signal(signal.SIGTTIN)
    record.expect("nworkers_changed master 2 1", *FORK)
    server.wait_for_log("worker 1 gen=1 pid=\\d+ serves")
    server.signal(signal.SIGTTOU)
    record.expect("nworkers_changed master 1 2", *END)

    os.kill(server.workers()[0], signal.SIGKILL)
    server.expect("SIGKILL")
    record.expect("child_exit master True", *FORK)
    server.wait_for_log("worker 0 gen=1 pid=\\d+ serves", 2)

    server.signal(signal.SIGHUP)
    record.expect(*FORK, "on_reload master", *END)
    server.wait_for_log("worker 0 gen=1 pid=\\d+ exited")

    second = usr2(server)
    record.expect("pre_exec other", *START, *FORK)
    wait_until(lambda: children(second), "the new master has a worker")
    os.kill(second, signal.SIGTERM)
    record.expect(*END, "on_exit master")
    wait_until(lambda: ended(second), "the new master ends")
    server.signal(signal.SIGTERM)
    record.expect(*END, "on_exit master")
    stop_all(server)


@pytest.mark.parametrize("kind", ["sync", "asgi"])
def test_a_stuck_worker_is_told_by_its_hook(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    """worker_abort runs in the worker that stands still, before it goes."""
    server = start(serve, tmp_path, kind, "--timeout=3")
    server.expect("Traceback")
    record = Record(server)
    server.get("/first")
    record.expect(*START, *FORK, "pre_request worker GET /first")
    record.expect("post_request worker /first /first 200 OK")
    with pytest.raises(OSError, match=r"."):
        server.get("/stuck")

    seen = ["worker_abort worker", *END]  # its replacement is forked meanwhile
    wait_until(lambda: [li for li in record.lines() if li in seen] == seen, f"{seen}")
    assert "pre_request worker GET /stuck" in record.lines()
    wait_until(lambda: {*FORK} < {*record.lines()}, "there is another worker")


def test_quit_calls_worker_int_and_all_that_follows(
    serve: Serve, tmp_path: Path
) -> None:
    """INT and QUIT end at once, and in order."""
    server = start(serve, tmp_path, "sync")
    server.get()
    record = Record(server)
    record.expect(*START, *FORK, "pre_request worker GET /")
    record.expect("post_request worker / / 200 OK")
    server.signal(signal.SIGQUIT)

    record.expect("worker_int worker", *END, "on_exit master")
    assert 0 == server.wait_for_exit()


def test_a_boot_that_fails_is_a_death_too(serve: Serve, tmp_path: Path) -> None:
    """child_exit is called whatever the worker's end: prometheus files stay nowhere."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "broken_of_test.py").write_text("1 / 0\n")
    server = serve("broken_of_test:app", config=HOOKS)
    server.expect("Traceback")
    server.wait_for_exit()

    Record(server).expect(*START, *FORK[:2], *END, "on_exit master")


EXITS = """
import sys

def when_ready(server): sys.exit(9)
def nworkers_changed(server, new, old): sys.exit(9)
def pre_fork(server, worker): sys.exit(9)
def child_exit(server, worker): sys.exit(9)
def on_reload(server): raise KeyboardInterrupt
def pre_request(worker, req): raise LookupError("no request")
def post_request(worker, req): raise LookupError("no response")
"""


def test_no_hook_takes_a_healthy_server_down(serve: Serve) -> None:
    """Not even with sys.exit, which in gunicorn ends master and workers."""
    server = serve("apps.pid:app", config=EXITS)
    for text in ("Traceback", "failed here"):
        server.expect(text)
    first = server.get().text
    server.signal(signal.SIGHUP)
    server.wait_for_log("the hook on_reload failed: KeyboardInterrupt")
    server.wait_for_log("the hook child_exit failed: it called sys.exit")

    assert first != server.get().text
    assert 0 == server.stop()
    for name in ("when_ready", "nworkers_changed", "pre_fork", "pre_request"):
        assert f"the hook {name} failed: " in server.log


FIELDS = """
import os

def pre_fork(server, worker):
    worker.colour = "green"

def post_fork(server, worker):
    worker.cfg.set("proc_name", "other")
    worker.tmp.notify()
    worker.notify()

def post_worker_init(worker):
    worker.log.info("worker %s %s %s %s %s", worker.colour, worker.cfg.proc_name,
        worker.cfg.settings["threads"].value, worker.cfg.settings["bind"].get() != [],
        callable(worker.wsgi))
    worker.log.info("more %s %s %s %s", worker.timeout, worker.alive, worker.nr,
        worker.tmp.last_update() > 0)

def when_ready(server):
    server.log.info("server %s %s %s %s", server.timeout, server.proc_name,
        server.worker_age, server.cfg.env)
    server.num_workers = 2

def pre_request(worker, req):
    req.start = "begun"

def post_request(worker, req, environ, resp):
    worker.log.info("the same %s", req.start)
    worker.log.info("request %s %s %s %s %s %s", req.method, req.uri, req.query,
        req.version, dict(req.headers)["HOST"], req.should_close())
    worker.log.info("response %s %s %s %s %s", resp.status, resp.status_code,
        resp.sent, resp.response_length, dict(resp.headers)["Content-Type"])
"""


def test_hooks_find_what_real_ones_touch(serve: Serve) -> None:
    """Attributes of server, worker, request and response have gunicorn's names."""
    server = serve("apps.pid:app", "--env=SHOP=green", config=FIELDS)
    body = server.get("/a?b=1").text
    server.wait_for_log("worker 1 gen=1 pid=\\d+ serves")
    server.stop()

    for line in (
        "server 30.0 apps.pid:app 0 {'SHOP': 'green'}",
        "worker green other 1 True True",
        "more 30.0 True 0 True",
        "the same begun",
        "request GET /a?b=1 b=1 (1, 1) 127.0.0.1",
        f"response 200 OK 200 {len(body)} {len(body)} text/plain",
    ):
        assert line in server.log
