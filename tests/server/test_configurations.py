"""Configuration files in the manner of well-known sites: they run as they are."""

import http.client
import json
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import Serve
from running import LIMIT, Server, wait_until

FILES = Path(__file__).parents[1] / "configurations"

Check = Callable[[Server, dict[str, Any]], None]


@dataclass(frozen=True)
class Case:
    """
    One site.

    Attributes:
        app: its application.
        flags: of its command line.
        environ: what it finds in its environment.
        bind: where the command line wants it; "none" leaves that to the file.
        log: what its log has, once all its workers serve.
        workers: how many.
        check: what it does.
    """

    app: str = "apps.telling:app"
    flags: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)
    bind: str = ""
    log: tuple[str, ...] = ()
    workers: int = 1
    check: Check = lambda server, facts: None


def threads(server: Server, facts: dict[str, Any]) -> None:
    """Requests run in a pool of threads."""
    assert facts["multithread"] is True


def django(server: Server, facts: dict[str, Any]) -> None:
    """The environment is the file's, and there is an access log."""
    assert "mysite.settings" == facts["env"]["DJANGO_SETTINGS_MODULE"]
    assert facts["multiprocess"] is True
    wait_until(lambda: '"GET / HTTP/1.1" 200' in server.output, "an access line")
    assert "mysite" in title(server.pid)


def flask(server: Server, facts: dict[str, Any]) -> None:
    """What the application prints is in the log; the access log has microseconds."""
    threads(server, facts)
    server.wait_for_log("^asked$|\nasked\n")
    access = server.directory / "access.log"
    wait_until(lambda: '"GET / HTTP/1.1" 200' in access.read_text(), "an access line")
    assert access.read_text().split()[-1].isdecimal()


def official(server: Server, facts: dict[str, Any]) -> None:
    """Hooks speak at their moments, also on QUIT."""
    assert "eggs" == facts["env"]["SPAM"]
    server.signal(signal.SIGQUIT)
    assert 0 == server.wait_for_exit()
    assert "worker received INT or QUIT signal" in server.log


def airflow(server: Server, facts: dict[str, Any]) -> None:
    """Its monitor looks for workers that have this title."""
    ready = [pid for pid in server.workers() if title(pid).startswith("[ready] ")]
    assert 2 == len(ready)


def mlflow(server: Server, facts: dict[str, Any]) -> None:
    """The flags of GUNICORN_CMD_ARGS hold; the hook sees every worker go."""
    pids = [facts["pid"], *server.workers()]
    server.stop()
    assert f"tracking worker {pids[0]} exited" in server.log


def sentry(server: Server, facts: dict[str, Any]) -> None:
    """What a hook has put on a worker is there at its end."""
    server.stop()
    assert "flushed https://key@errors.example/1" in server.log


def prometheus(server: Server, facts: dict[str, Any]) -> None:
    """Files of dead workers are cleared, whatever their end."""
    os.kill(facts["pid"], signal.SIGKILL)
    server.expect("SIGKILL")
    server.wait_for_log(f"marked {facts['pid']} dead")


def heroku(server: Server, facts: dict[str, Any]) -> None:
    """The file for the build pack is there, and the router's word is taken."""
    assert (server.directory / "app-initialized").exists()
    connection = http.client.HTTPConnection(*server.address, timeout=LIMIT)
    connection.request("GET", "/", headers={"X-Forwarded-Proto": "https"})
    assert "https" == json.loads(connection.getresponse().read())["scheme"]
    connection.close()


def tiangolo(server: Server, facts: dict[str, Any]) -> None:
    """It prints what it has decided."""
    assert "asgi" == facts["interface"]
    said = next(line for line in server.output.splitlines() if line.startswith("{"))
    assert (2, 120) == (json.loads(said)["workers"], json.loads(said)["timeout"])


def json_logs(server: Server, facts: dict[str, Any]) -> None:
    """gunicorn's loggers in the file mean ours."""
    log = server.directory / "site.log"
    wait_until(lambda: "GET / HTTP/1.1" in log.read_text(), "an access line")
    wait_until(lambda: '"message": "worker 0' in log.read_text(), "the master's line")


def nginx(server: Server, facts: dict[str, Any]) -> None:
    """Socket and pid file are where the file says, with its permissions."""
    path = server.directory / "site.sock"
    assert 0o770 == path.stat().st_mode & 0o777
    assert server.pid == int((server.directory / "site.pid").read_text())


def from_environment(server: Server, facts: dict[str, Any]) -> None:
    """Texts are as good as numbers."""
    threads(server, facts)
    assert "shop" in title(server.pid)


def development(server: Server, facts: dict[str, Any]) -> None:
    """A file that is no Python is watched, too."""
    (server.directory / "settings.yaml").write_text("colour: green\n")
    server.wait_for_log("changed: settings.yaml: reloading")
    server.wait_for_log("every worker is of generation 2")


def asgi(server: Server, facts: dict[str, Any]) -> None:
    """It is served over ASGI."""
    assert "asgi" == facts["interface"]


def title(pid: int) -> str:
    """What ``ps`` says of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


ASGI = "apps.telling:asgi"

CASES = {
    "django": Case(workers=3, environ={"GUNICORN_WORKERS": "3"}, check=django),
    "flask": Case(workers=2, check=flask, log=("heartbeats are in shared memory",)),
    "official": Case(
        check=official, log=("Server is ready. Spawning", r"Worker spawned \(pid: \d+")
    ),
    "airflow": Case(workers=2, check=airflow, log=("providers are discovered",)),
    "mlflow": Case(
        workers=3, check=mlflow, environ={"GUNICORN_CMD_ARGS": "--timeout 60 -w 3"}
    ),
    "superset": Case(app="apps.telling:make()", check=threads),
    "netbox": Case(workers=3, check=threads),
    "sentry": Case(check=sentry, log=("reports go to https://key@errors",)),
    "prometheus": Case(workers=2, check=prometheus),
    "opentelemetry": Case(workers=2, log=("Worker spawned", "exporter lives: True")),
    "heroku": Case(
        workers=2, flags=("--preload",), environ={"WEB_CONCURRENCY": "2"}, check=heroku
    ),
    "cloud_run": Case(bind="none", environ={"PORT": "free"}, check=threads),
    "tiangolo": Case(
        app=ASGI, check=tiangolo, workers=2, bind="none",
        flags=("-k", "uvicorn.workers.UvicornWorker"),
        environ={"WEB_CONCURRENCY": "2", "BIND": "127.0.0.1:0"},
    ),
    "json_logs": Case(workers=0, check=json_logs),  # its log is elsewhere
    "psycogreen": Case(workers=2, log=("Made Psycopg2 Green",)),
    "nginx": Case(workers=2, bind="none", check=nginx),
    "environment": Case(
        check=from_environment, workers=2,
        environ={
            "GUNICORN_WORKERS": "2", "GUNICORN_THREADS": "3",
            "GUNICORN_TIMEOUT": "60", "GUNICORN_PROC_NAME": "shop",
        },
    ),
    "kubernetes": Case(workers=2, check=threads),
    "development": Case(check=development),
    "fastapi": Case(
        app=ASGI, workers=2, check=asgi, log=("Tiamat's own asgi serves in its place",)
    ),
    "modern": Case(
        app=ASGI, check=asgi,
        log=(
            "dirty_workers has no effect", "HTTP/2 is not built yet",
            "control_socket_mode has no effect",
        ),
    ),
}  # fmt: skip


def test_each_file_is_tried() -> None:
    """Twenty at least."""
    assert {path.stem for path in FILES.glob("*.conf")} == set(CASES)
    assert len(CASES) >= 20


@pytest.mark.parametrize("name", CASES)
def test_a_site_runs_as_it_is(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Its file is not touched; it serves, and does what it says."""
    case = CASES[name]
    (tmp_path / "server-0").mkdir()
    (tmp_path / "metrics").mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "metrics"))
    text = (FILES / f"{name}.conf").read_text()
    (tmp_path / "server-0" / "gunicorn.conf.py").write_text(text)
    for variable, value in case.environ.items():
        monkeypatch.setenv(variable, free_port() if value == "free" else value)
    server = serve(case.app, *case.flags, bind=case.bind)
    for number in range(case.workers):
        server.wait_for_log(rf"worker {number} gen=1 pid=\d+ serves")
    for pattern in case.log:
        server.wait_for_log(pattern)

    case.check(server, json.loads(ask(server)))


def ask(server: Server) -> str:
    """A request, wherever the server listens."""
    path = server.directory / "site.sock"
    if not path.exists():
        if (port := os.environ.get("PORT")) and server.listener is None:
            return asked(socket.create_connection(("127.0.0.1", int(port)), LIMIT))
        return server.get().text
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(LIMIT)
    sock.connect(str(path))
    return asked(sock)


def asked(sock: socket.socket) -> str:
    """What is answered on this connection."""
    connection = http.client.HTTPConnection("site", timeout=LIMIT)
    connection.sock = sock
    connection.request("GET", "/")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def free_port() -> str:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return str(sock.getsockname()[1])
