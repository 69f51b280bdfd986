"""What became of a reload is the exit status of ``tiamatctl reload --wait``."""

import json
import signal
from pathlib import Path

import pytest
from asking import begin, ctl, data_of, end, pids_of
from conftest import Serve
from running import Server, wait_until

APP = """
import os
from apps.pid import app as pid

def app(environ, start_response):
    if environ["PATH_INFO"] == "/die":
        os._exit(7)
    return pid(environ, start_response)
"""

ENDLESS = """
import time
open("imported", "w").close()
while True:
    time.sleep(0.01)
"""

# Runs when a reload reads it, but not to its end before the test says so.
HELD = """
import os, time
open("held", "w").close()
while not os.path.exists("go"):
    time.sleep(0.01)
raise RuntimeError("held too long")
"""

GOOD = "workers = 2\nreload_watch = 0\nboot_timeout = 60\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The control socket."""
    return tmp_path / "c" / "control"


def start(serve: Serve, path: Path) -> Server:
    """A server with two workers, whose application can be changed."""
    directory = path.parent.parent / "server-0"
    directory.mkdir()
    (directory / "site_app.py").write_text(APP)
    server = serve("site_app:app", f"--control-socket={path}", config=GOOD)
    server.wait_for_log("serves", times=2)
    return server


def reload(path: Path) -> tuple[int, str]:
    """Reload, and wait for what becomes of it."""
    done = ctl(f"--socket={path}", "reload", "--wait")
    return done.returncode, (done.stderr or done.stdout).removeprefix("tiamatctl: ")


def test_a_reload_that_is_good_has_status_0(serve: Serve, path: Path) -> None:
    """When the new workers have lived for reload_watch seconds."""
    server = start(serve, path)
    before = pids_of(path)
    server.config_path.write_text(GOOD.replace("watch = 0", "watch = 0.2"))

    assert (0, "committed: generation 2 has proved good\n") == reload(path)
    assert not {*before} & {*pids_of(path)}
    assert "committed" == data_of(path, "status")["last_reload"]


def test_without_a_watch_it_is_good_when_all_are_new(serve: Serve, path: Path) -> None:
    """At once then."""
    start(serve, path)

    assert (0, "committed: every worker is a new one\n") == reload(path)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("workers = 'many'\n", "tiamat.conf.py, line 1: workers = 'many' is not"),
        ("import sys\nsys.exit(3)\n", "line 2: it called sys.exit(3)"),
        ("def f(:\n", "invalid syntax"),
    ],
)
def test_wrong_settings_have_status_10(
    serve: Serve, path: Path, config: str, reason: str
) -> None:
    """Every worker is the same as before, and the answer says what to mend."""
    server = start(serve, path)
    before = pids_of(path)
    server.config_path.write_text(config)
    status, text = reload(path)

    assert 10 == status
    assert text.startswith("config error: ")
    assert reason in text
    assert before == pids_of(path)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import nowhere\n", "No module named 'nowhere'"),
        ("app = 3\n", "is no application but an int"),
        ("import os\nos._exit(5)\n", "exited with status 5"),
        ("import os\nos.abort()\n", "killed by SIGABRT"),
        ("raise SystemExit(3)\n", "sys.exit(3)"),
    ],
)
def test_code_that_does_not_load_has_status_11(
    serve: Serve, path: Path, code: str, reason: str
) -> None:
    """Every worker is the same as before, and the answer says why."""
    server = start(serve, path)
    server.expect("Traceback")
    before = pids_of(path)
    (server.directory / "site_app.py").write_text(code)
    status, text = reload(path)

    assert 11 == status, server.log
    assert text.startswith("boot failed: ")
    assert reason in text
    assert before == pids_of(path)
    assert "boot failed" == data_of(path, "status")["last_reload"]


def test_a_check_that_is_not_passed_has_status_12(serve: Serve, path: Path) -> None:
    """Every worker is the same as before, and the answer says what it was."""
    server = start(serve, path)
    before = pids_of(path)
    server.config_path.write_text(
        f"{GOOD}def check_worker(worker):\n    return False\n"
    )
    status, text = reload(path)

    assert 12 == status
    assert "check failed: " in text
    assert "check_worker" in text

    wait_until(lambda: before == pids_of(path), "the candidate is gone")


def hang(server: Server) -> None:
    """From now on the application never comes to be loaded, within a second."""
    (server.directory / "site_app.py").write_text(ENDLESS)
    server.config_path.write_text(GOOD.replace("timeout = 60", "timeout = 1"))


def test_an_endless_import_has_status_11(serve: Serve, path: Path) -> None:
    """The old workers stay; the answer does not wait for the candidate's end."""
    server = start(serve, path)
    before = pids_of(path)
    hang(server)
    status, text = reload(path)
    data = data_of(path, "status")

    assert 11 == status
    assert "did not boot in 1." in text
    assert "(boot_timeout=1)" in text
    assert before == [w["pid"] for w in data["workers"] if w["generation"] == 1]

    server.wait_for_log("reload refused, going on as before: boot failed")
    wait_until(lambda: before == pids_of(path), "the candidate is gone")


@pytest.mark.soak
def test_an_endless_import_is_answered_within_its_time(
    serve: Serve, path: Path
) -> None:
    """``boot_timeout`` and a second, from the command to the answer."""
    server = start(serve, path)
    hang(server)
    done = ctl(f"--socket={path}", "--json", "reload", "--wait")

    assert 11 == done.returncode
    assert json.loads(done.stdout)["data"]["seconds"] < 1 + 1


def test_a_death_while_it_is_watched_has_status_13(serve: Serve, path: Path) -> None:
    """The answer names the worker that died."""
    server = start(serve, path)
    server.config_path.write_text(GOOD.replace("watch = 0", "watch = 60"))
    waiting = begin(path, "reload", "--wait")
    server.wait_for_log("every worker is of generation 2")
    wait_until(lambda: len(server.workers()) == 2, "the old workers are gone")
    with pytest.raises(OSError, match=r".*"):
        server.get("/die")
    status, text = end(waiting)

    assert 13 == status
    assert "rolled back: generation 1 is in force again, since worker " in text


def test_an_order_to_stop_is_status_14(serve: Serve, path: Path) -> None:
    """Who waits for a reload is told, though the server ends."""
    server = start(serve, path)
    (server.directory / "site_app.py").write_text(ENDLESS)
    first = begin(path, "reload", "--wait")
    wait_until((server.directory / "imported").exists, "the candidate hangs")
    second = begin(path, "reload", "--wait")
    server.wait_for_log("control socket: reload --wait", times=2)
    server.signal(signal.SIGTERM)

    assert (14, "tiamatctl: superseded: another order came\n") == end(first)
    assert (14, "tiamatctl: superseded: another order came\n") == end(second)
    assert 0 == server.wait_for_exit()


def test_a_reload_behind_another_one_has_an_outcome_of_its_own(
    serve: Serve, path: Path
) -> None:
    """Two that come meanwhile are one, and both are told."""
    server = start(serve, path)
    server.config_path.write_text(HELD)
    first = begin(path, "reload", "--wait")
    wait_until((server.directory / "held").exists, "the settings are being read")
    server.config_path.write_text(GOOD)
    others = [begin(path, "reload", "--wait") for _ in range(2)]
    server.wait_for_log("control socket: reload --wait", times=3)
    (server.directory / "go").touch()

    status, text = end(first)
    assert 10 == status
    assert "held too long" in text
    for other in others:
        assert (0, "committed: every worker is a new one\n") == end(other)
    assert 2 == data_of(path, "status")["generation"]


def test_one_more_reload_ends_the_watch_of_the_one_before(
    serve: Serve, path: Path
) -> None:
    """That is committed then."""
    server = start(serve, path)
    server.config_path.write_text(GOOD.replace("watch = 0", "watch = 60"))
    first = begin(path, "reload", "--wait")
    server.wait_for_log("every worker is of generation 2")
    server.config_path.write_text(GOOD)

    assert 0 == reload(path)[0]
    assert (0, "committed: the next reload begins\n") == end(first)


def test_a_reload_after_winch_is_not_lost(serve: Serve, path: Path) -> None:
    """WINCH supersedes what runs; what comes behind it is begun, and answered."""
    server = start(serve, path)
    server.config_path.write_text(HELD)
    first = begin(path, "reload", "--wait")
    wait_until((server.directory / "held").exists, "the settings are being read")
    server.config_path.write_text(GOOD)
    server.signal(signal.SIGWINCH)
    second = begin(path, "reload", "--wait")

    assert 14 == end(first)[0]
    assert 0 == end(second)[0]
    assert 2 == data_of(path, "status")["serving"]
