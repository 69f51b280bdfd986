"""``reuse_port``: a socket per worker, and none goes with somebody in its queue."""

import os
import signal
from pathlib import Path

import pytest
from conftest import Serve
from masters import stop_all, usr2
from running import Load, get, wait_until

SOCKETS = """
def when_ready(server):
    addresses = set(server.address)
    server.log.info("%s sockets for %s", len(server.LISTENERS), len(addresses))
"""


@pytest.mark.parametrize("kind", ["sync", "asgi"])
def test_no_connection_is_lost_whatever_happens_to_workers(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    """HUP, TTIN, TTOU and USR2 under load, with an old master that goes."""
    site = tmp_path / "server-0"
    site.mkdir()
    app = "apps.telling:app" if kind == "sync" else "apps.telling:asgi"
    server = serve(
        app, f"-k{kind}", "--workers=3", "--reuse-port", "--reload-watch=1",
        bind="127.0.0.1:0", config=SOCKETS,
    )  # fmt: skip
    address = server.address
    server.wait_for_log("3 sockets for 1")
    with Load(address) as load:
        server.signal(signal.SIGTTOU)
        server.wait_for_log("worker 2 gen=1 pid=\\d+ exited")
        server.signal(signal.SIGHUP)
        server.wait_for_log("every worker is of generation 2")
        server.signal(signal.SIGTTIN)
        load.wait_for_requests()
        second = usr2(server)
        wait_until(lambda: f"[{second}] [INFO] worker 0" in server.log, "it serves")
        server.signal(signal.SIGTERM)
        server.process.wait(60)
        load.wait_for_requests(100)

    assert [] == load.losses
    assert 1 == server.log.count("listening on http", 0, server.log.index("3 sockets"))
    os.kill(second, signal.SIGTERM)
    stop_all(server)


def test_two_servers_share_a_port(serve: Serve) -> None:
    """The second is the new release: both serve, until the first goes."""
    first = serve("apps.pid:app", "--reuse-port", bind="127.0.0.1:0")
    host, port = first.address
    first.wait_for_log("serves")
    second = serve("apps.pid:app", "--reuse-port", bind=f"{host}:{port}")
    second.wait_for_log("serves")
    pids = {str(pid) for pid in (*first.workers(), *second.workers())}
    with Load((host, port)) as load:
        wait_until(lambda: pids <= load.texts.keys(), "both serve")

    assert [] == load.losses
    assert 0 == first.stop()
    assert int(get((host, port)).text) in second.workers()
