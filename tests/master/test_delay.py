"""Between TERM and the drain: not ready, and still there."""

import signal
from pathlib import Path

import pytest
from asking import begin, ctl, data_of, end
from conftest import Serve
from running import Load, get, wait_until
from service_manager import Manager
from watching import STATUS, address, ready

LONG = "--drain-delay=600"


def test_it_accepts_while_it_is_not_ready(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Clients notice nothing; the balancer and systemd do. A second TERM ends it.
    """
    manager = Manager.in_directory(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    server = serve("apps.pid:app", STATUS, LONG, "--workers=2")
    where = address(server)
    server.wait_for_log("serves", times=2)
    with Load(server.address) as load:
        server.signal(signal.SIGTERM)
        wait_until(lambda: ready(where) == (503, "stopping\n"), "it is not ready")
        manager.wait_for("STOPPING=1")
        server.signal(signal.SIGHUP)  # too late
        load.wait_for_requests()
    server.signal(signal.SIGTERM)

    assert 0 == server.wait_for_exit()
    assert [] == load.losses
    assert "reloading" not in server.log

    manager.close()


def test_it_is_over_by_itself(serve: Serve) -> None:
    """A worker that dies meanwhile is replaced; then the stop is as ever."""
    server = serve("apps.pid:app", "--drain-delay=1")
    server.get()
    server.signal(signal.SIGTERM)
    server.wait_for_log("TERM: not ready any more, but accepting for 1 s")

    assert 0 == server.wait_for_exit()
    assert "TERM: finishing what is here" in server.log


def test_int_ends_all_of_it(serve: Serve) -> None:
    """At once, as ever."""
    server = serve("apps.pid:app", LONG)
    server.get()
    server.signal(signal.SIGTERM)
    server.wait_for_log("accepting for 600 s")
    server.signal(signal.SIGINT)

    assert 0 == server.wait_for_exit()


def test_who_serves_nobody_does_not_wait(serve: Serve, tmp_path: Path) -> None:
    """The application has never been loaded."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "endless.py").write_text("import time\ntime.sleep(1000)\n")
    server = serve("endless:app", STATUS, LONG)
    assert 200 == get(address(server), "/livez").status
    server.signal(signal.SIGTERM)

    assert 0 == server.wait_for_exit()


def test_the_command_does_the_same(serve: Serve, tmp_path: Path) -> None:
    """``tiamatctl stop``, and a second one; a reload that waits is told."""
    path = tmp_path / "c" / "control"
    server = serve(
        "apps.pid:app", f"--control-socket={path}", LONG, "--reload-watch=600"
    )
    server.get()
    waiting = begin(path, "reload", "--wait")
    server.wait_for_log("every worker is of generation 2")

    assert "stopping, within 630 s\n" == ctl(f"--socket={path}", "stop").stdout
    assert 14 == end(waiting)[0]
    assert data_of(path, "status")["stopping"]
    assert 1 == ctl(f"--socket={path}", "reload").returncode
    assert "stopping, within 30 s\n" == ctl(f"--socket={path}", "stop").stdout
    assert 0 == server.wait_for_exit()
