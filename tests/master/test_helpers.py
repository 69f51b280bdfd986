"""The process that answers on ``status_bind``, and how it is kept."""

import contextlib
import os
import signal
from pathlib import Path

import pytest
from asking import ctl, data_of
from conftest import Serve
from running import answer_of, get, wait_until
from watching import STATUS, address, helper, ready, value

# Not imported before the test says so, and then every path but "/" is held.
HELD = """
import os, time

def wait(name):
    open(name + ".begun", "w").close()
    while not os.path.exists(name):
        time.sleep(0.01)

wait("import")

def app(environ, start_response):
    if environ["PATH_INFO"] != "/":
        wait(environ["PATH_INFO"][1:])
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


def refuses(where: tuple[str, int]) -> bool:
    """Whether nobody answers there."""
    try:
        get(where, "/livez")
    except ConnectionError:
        return True
    return False


@pytest.mark.parametrize("flag", ["--workers=1", "--preload"])
def test_it_answers_from_start_to_stop(serve: Serve, tmp_path: Path, flag: str) -> None:
    """
    No worker is there yet, all are busy, the server stops: it says so.
    """
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "held.py").write_text(HELD)
    server = serve("held:app", STATUS, flag)
    where = address(server)

    assert 200 == get(where, "/livez").status
    assert (503, "no worker serves\n") == ready(where)

    (directory / "import").touch()
    server.get()
    # The master says so when it comes to it, which may be behind an answer.
    wait_until(lambda: ready(where) == (200, "ok\n"), "it is ready")

    with contextlib.closing(server.begin_at("/stuck", "stuck.begun")) as connection:
        assert 1.0 == value(where, "tiamat_busy_ratio")
        assert 1.0 == value(where, "tiamat_requests_in_flight")
        assert (200, "ok\n") == ready(where)

        os.kill(helper(server), signal.SIGTERM)  # as who stops all processes at once
        server.signal(signal.SIGTERM)
        wait_until(lambda: ready(where) == (503, "stopping\n"), "it is not ready")

        assert 200 == get(where, "/livez").status

        (directory / "stuck").touch()

        assert 200 == answer_of(connection).status

    assert 0 == server.wait_for_exit()


def test_totals_never_go_back(serve: Serve, tmp_path: Path) -> None:
    """
    Neither with a worker that is replaced, nor with the helper that ends.
    """
    control = tmp_path / "c" / "control"
    server = serve("apps.pid:app", STATUS, f"--control-socket={control}", "--preload")
    name = 'tiamat_requests_total{status="2xx"}'
    for _ in range(3):
        server.get()
    wait_until(lambda: value(address(server), name) == 3, "three are counted")
    server.signal(signal.SIGHUP)
    server.wait_for_log(r"worker 0 gen=1 pid=\d+ exited")
    # A helper that has the new settings takes the place of the old one.
    where = address(server, 2)
    server.get()
    wait_until(lambda: value(where, name) == 4, "so is the fourth")

    assert 1.0 == value(where, 'tiamat_worker_ends_total{reason="reload"}')

    os.kill(helper(server, 2), signal.SIGKILL)
    server.expect("status helper")

    assert 4 == value(address(server, 3), name)

    status = data_of(control, "status")

    assert helper(server, 3) == status["helper"]["pid"]
    assert {"ready"} == {mold["state"] for mold in status["molds"]}

    text = ctl(f"--socket={control}", "metrics").stdout
    assert f"{name} 4.0\n" in text


def test_a_reload_may_move_it(serve: Serve) -> None:
    """To another address; one that can't be had refuses the reload."""
    server = serve("apps.pid:app", config="status_bind = '127.0.0.1:0'\n")
    first = address(server)
    server.get()
    server.config_path.write_text("status_bind = 'localhost:0'\n")
    server.signal(signal.SIGHUP)
    second = address(server, 2)

    assert first != second
    assert 200 == get(second, "/livez").status
    wait_until(lambda: refuses(first), "nobody is left at the first one")
    server.wait_for_log("every worker is of generation 2")
    assert server.listener is not None
    taken = server.listener.getsockname()[1]
    server.config_path.write_text(f"status_bind = '127.0.0.1:{taken}'\n")
    server.signal(signal.SIGHUP)
    server.wait_for_log("reload refused")

    assert 200 == get(second, "/livez").status

    server.config_path.write_text("")
    server.signal(signal.SIGHUP)
    wait_until(lambda: refuses(second), "nobody answers any more")


def test_a_new_master_answers_in_the_place_of_the_old_one(serve: Serve) -> None:
    """On the same socket; readiness is there all the time."""
    server = serve(
        "apps.pid:app",
        *(STATUS, "--reexec-mode=auto", "--reload-watch=0.1"),
        bind="127.0.0.1:0",
    )
    where = address(server)
    server.get()
    first = value(where, "tiamat_start_time_seconds")
    server.signal(signal.SIGUSR2)
    new = int(server.wait_for_log(r"a new master starts, pid (\d+)")[1])

    def moved() -> bool:
        assert (200, "ok\n") == ready(where)
        return value(where, "tiamat_start_time_seconds") > first

    wait_until(moved, "the new master's helper answers")
    server.process.wait()

    assert (200, "ok\n") == ready(where)

    os.kill(new, signal.SIGTERM)
    server.wait_until_all_are_gone()


def test_it_ends_with_a_master_that_is_killed(serve: Serve) -> None:
    """Nobody is left who would say that all is well."""
    server = serve("apps.pid:app", STATUS)
    where = address(server)
    server.get()
    server.process.kill()
    server.wait_until_all_are_gone()

    assert refuses(where)
