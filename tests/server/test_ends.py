"""Faults behind which there is no server: each class of workers leaves as it should."""

import http.client
import os
import signal
import sys
from pathlib import Path

import pytest
from conftest import Serve
from kinds import KINDS
from running import LIMIT, Load, Server, get, wait_until

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
]

every_kind = pytest.mark.parametrize("kind", KINDS)

HANGS = """
from pathlib import Path
Path("importing").touch()
while True:
    pass
"""


def begin(serve: Serve, tmp_path: Path, kind: str, *flags: str) -> Server:
    """A server whose two workers serve, with a pid file."""
    name, *others = KINDS[kind]
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "site_of_test.py").write_text(
        f"from apps.troubled import {name} as app"
    )
    server = serve(
        "site_of_test:app",
        *("--workers=2", f"--pid={tmp_path}/pid", *others, *flags),
        bind="127.0.0.1:0",
    )
    server.wait_for_log("serves", times=2)
    return server


@every_kind
def test_a_master_that_is_killed_leaves_nobody(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    """Workers finish what they have; a new server has the address and the pid file."""
    server = begin(serve, tmp_path, kind)
    host, port = server.address
    client = server.begin("/?1")
    server.signal(signal.SIGKILL)
    server.process.wait()
    status = client.getresponse().status
    client.close()
    again = serve(
        "site_of_test:app",
        f"--pid={tmp_path}/pid",
        bind=f"{host}:{port}",
        config="import sys\nsys.path.append('../server-0')\n",
    )
    again.wait_for_log("serves")
    server.wait_until_all_are_gone()

    assert 200 == status
    assert 200 == get((host, port)).status
    assert f"{again.pid}\n" == (tmp_path / "pid").read_text()


@every_kind
def test_a_master_that_is_killed_during_a_reload_leaves_nobody(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    """Not even the worker that imports."""
    server = begin(serve, tmp_path, kind)
    (server.directory / "site_of_test.py").write_text(HANGS)
    server.signal(signal.SIGHUP)
    wait_until((server.directory / "importing").exists, "the candidate imports")
    server.signal(signal.SIGKILL)
    server.process.wait()
    server.wait_until_all_are_gone()


@every_kind
def test_term_serves_300_connections_that_wait(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    """The kernel has accepted them; the workers stand still meanwhile."""
    server = begin(serve, tmp_path, kind)
    workers = server.workers()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    clients = []
    for _ in range(300):
        client = http.client.HTTPConnection(*server.address, timeout=LIMIT)
        client.request("GET", "/")
        clients.append(client)
    server.signal(signal.SIGTERM)
    server.wait_for_log("retires: the server stops", times=2)
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    statuses = [client.getresponse().status for client in clients]
    for client in clients:
        client.close()

    assert [200] * 300 == statuses
    assert 0 == server.wait_for_exit()


@every_kind
def test_patience_ends_with_int(serve: Serve, tmp_path: Path, kind: str) -> None:
    """TERM, TERM, INT."""
    server = begin(serve, tmp_path, kind, "--graceful-timeout=600")
    client = server.begin("/?600")
    server.signal(signal.SIGTERM)
    server.wait_for_log("retires: the server stops", times=2)
    server.signal(signal.SIGTERM)
    server.signal(signal.SIGINT)

    assert 0 == server.wait_for_exit()
    assert not (tmp_path / "pid").exists()

    client.close()


@every_kind
def test_a_request_beyond_graceful_timeout_is_named(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    """It is cut off, and nobody else is."""
    server = begin(serve, tmp_path, kind, "--graceful-timeout=2")
    for word in ("SIGKILL", "Traceback"):
        server.expect(word)
    client = server.begin("/?600")
    with Load(server.address) as load:
        load.wait_for_requests()
        server.signal(signal.SIGTERM)
        status = server.wait_for_exit()
    client.close()

    assert 0 == status
    assert "GET /" in server.log
    assert {"ConnectionRefusedError"} >= {loss.split(":")[0] for loss in load.losses}


@every_kind
def test_term_ends_a_first_boot_that_hangs(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    """Nobody has ever served."""
    _, *flags = KINDS[kind]
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "site_of_test.py").write_text(HANGS)
    server = serve("site_of_test:app", f"--pid={tmp_path}/pid", *flags)
    wait_until((directory / "importing").exists, "the first worker imports")
    server.signal(signal.SIGTERM)

    assert 0 == server.wait_for_exit()
    assert not (tmp_path / "pid").exists()
