"""What systemd hears of a real server, and when."""

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Serve
from running import LIMIT, environment
from service_manager import Manager

from tiamat.config import Config
from tiamat.master.arbiter import Arbiter
from tiamat.master.member import Member, State
from tiamat.master.mold import Mold
from tiamat.master.notices import Notices, Told
from tiamat.system.channel import Channel
from tiamat.system.systemd import store_name

FLAG = """
import time
from pathlib import Path

while not Path("go").exists():
    time.sleep(0.01)

from apps.pid import app
"""

BROKEN = "raise RuntimeError('no such table')\n"


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """Who listens to the servers of a test."""
    heard = Manager.in_directory(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", heard.address)
    yield heard
    heard.close()


def site(tmp_path: Path, code: str) -> Path:
    """The module ``site_of_test`` of the first server of a test."""
    directory = tmp_path / "server-0"
    directory.mkdir(exist_ok=True)
    path = directory / "site_of_test.py"
    path.write_text(code)
    return path


def test_ready_is_said_when_all_workers_serve(
    serve: Serve, manager: Manager, tmp_path: Path
) -> None:
    """Not before the application is loaded; more time is asked for meanwhile."""
    site(tmp_path, FLAG)
    server = serve("site_of_test:app", "--workers=2")
    manager.wait_for("EXTEND_TIMEOUT_USEC=30000000")
    manager.wait_for("STATUS=0 of 2 workers serve, generation 1")

    assert [] == manager.said("READY")

    (server.directory / "go").touch()
    said = manager.wait_for("READY=1", pid=server.pid)

    assert "READY=1\nSTATUS=2 of 2 workers serve, generation 1" == said
    assert 2 == server.log.count("serves\n")


def test_a_reload_is_said_when_it_begins_and_when_it_is_decided(
    serve: Serve, manager: Manager
) -> None:
    """RELOADING=1 has the time in the same datagram, as Type=notify-reload wants."""
    server = serve("apps.pid:app", "--workers=2", "--reload-watch=0")
    manager.wait_for("READY=1")
    before = time.monotonic_ns() // 1000
    server.signal(signal.SIGHUP)
    reloading = manager.wait_for("RELOADING=1")
    manager.wait_for("READY=1\nSTATUS=2 of 2 workers serve, generation 2")
    begun = int(reloading.partition("MONOTONIC_USEC=")[2])

    assert before <= begun <= time.monotonic_ns() // 1000
    assert ["READY=1", "RELOADING=1", "READY=1"] == manager.said("READY", "RELOADING")


def test_a_reload_that_is_refused_is_over_too(
    serve: Serve, manager: Manager, tmp_path: Path
) -> None:
    """The old workers are ready; the status says why they are the old ones."""
    path = site(tmp_path, "from apps.pid import app\n")
    server = serve("site_of_test:app", "--workers=2")
    manager.wait_for("READY=1")
    path.write_text(BROKEN)
    server.expect("")
    server.signal(signal.SIGHUP)
    manager.wait_for("RELOADING=1")
    said = manager.wait_for("READY=1", times=2)

    assert "STATUS=2 of 2 workers serve, generation 1, reload refused: boot f" in said


def test_settings_that_are_refused_are_a_reload_that_is_over(
    serve: Serve, manager: Manager
) -> None:
    """systemctl reload ends, and the status has the first line of what is wrong."""
    server = serve("apps.pid:app", config="timeout = 30\n")
    manager.wait_for("READY=1")
    server.config_path.write_text("timeout = 'soon'\n")
    server.signal(signal.SIGHUP)
    manager.wait_for("RELOADING=1")

    assert "reload refused: config error: " in manager.wait_for("READY=1", times=2)


def test_stopping_is_said_before_requests_are_finished(
    serve: Serve, manager: Manager
) -> None:
    """More time is asked for, as long as somebody has a request."""
    server = serve("apps.slow:app")
    manager.wait_for("READY=1")
    client = server.begin("/?600")
    server.signal(signal.SIGTERM)
    manager.wait_for("STOPPING=1")
    manager.wait_for("STATUS=stopping: 1 worker finishes")
    manager.wait_for("EXTEND_TIMEOUT_USEC=", times=2)
    server.signal(signal.SIGQUIT)

    assert 0 == server.wait_for_exit()

    client.close()


def test_the_watchdog_is_fed(
    serve: Serve, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice in its time, by the loop itself."""
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    server = serve("apps.pid:app")
    manager.wait_for("WATCHDOG=1", times=5, pid=server.pid)


def test_workers_and_what_they_start_can_not_speak_for_us(
    serve: Serve, manager: Manager, tmp_path: Path
) -> None:
    """They don't know where the manager listens."""
    site(
        tmp_path,
        """
import os

def app(environ, start_response):
    start_response("200 OK", [])
    return [str([n for n in os.environ if n in ("NOTIFY_SOCKET", "FDSTORE")]).encode()]
""",
    )
    server = serve("site_of_test:app")
    manager.wait_for("READY=1")

    assert "[]" == server.get().text


# --- Listeners that systemd keeps -------------------------------------------------

RESTART = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "tiamat", *sys.argv[2:]])
"""
"""What systemd does for a service whose descriptors it has kept."""


def test_a_restart_refuses_nobody(
    serve: Serve, manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd keeps what we bind; who comes between two masters waits for the next."""
    monkeypatch.setenv("FDSTORE", "16")
    bind = f"unix:{tmp_path / 'sock'}"
    server = serve("apps.pid:app", bind=bind)
    name = store_name(bind)
    manager.wait_until(lambda: name in manager.stored, "it is kept")
    server.stop()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LIMIT)
        client.connect(str(tmp_path / "sock"))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        again = subprocess.Popen(
            [
                *(sys.executable, "-c", RESTART, str(manager.stored[name])),
                *("apps.pid:app", f"--bind={bind}", f"--log-file={tmp_path / 'log'}"),
            ],
            pass_fds=[manager.stored[name]],
            env=environment(tmp_path) | {"LISTEN_FDS": "1", "LISTEN_FDNAMES": name},
            cwd=tmp_path,
        )
        answer = client.recv(1000)
        again.terminate()
        again.wait(LIMIT)

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert [] == manager.said("FDSTOREREMOVE")


def test_an_address_that_is_given_up_is_kept_no_longer(
    serve: Serve, manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload that drops it refuses who comes, as without systemd."""
    monkeypatch.setenv("FDSTORE", "16")
    first, second = (f"unix:{tmp_path / name}" for name in ("first", "second"))
    server = serve("apps.pid:app", bind="none", config=f"bind = {first!r}\n")
    manager.wait_until(lambda: store_name(first) in manager.stored, "it is kept")
    server.config_path.write_text(f"bind = {second!r}\n")
    server.signal(signal.SIGHUP)
    wanted = {store_name(second)}
    manager.wait_until(lambda: set(manager.stored) == wanted, "the other is kept")
    server.wait_for_log(f"listening on {second}")  # said behind the end of the first

    assert not (tmp_path / "first").exists()


def test_what_was_given_to_us_is_not_kept(
    serve: Serve, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who gave it has it; and without room nothing is sent."""
    monkeypatch.setenv("FDSTORE", "16")
    serve("apps.pid:app")
    monkeypatch.setenv("FDSTORE", "0")
    serve("apps.pid:app", bind="127.0.0.1:0")
    manager.wait_for("READY=1", times=2)

    assert [] == manager.said("FDSTORE")


# --- Without processes ----------------------------------------------------------------


@pytest.fixture
def notices(manager: Manager, tmp_path: Path) -> Iterator[Notices]:
    """Those of a master that does not run; its manager waits for 20 s at most."""
    arbiter = Arbiter(Config(workers=1, errorlog=str(tmp_path / "log")))
    arbiter.premises.open_log()
    arbiter.notices.manager.address = manager.address
    yield arbiter.notices
    arbiter.stop()


def test_nobody_who_listens_wakes_nobody(notices: Notices) -> None:
    """A master without systemd has nothing to do."""
    notices.manager.address = ""
    notices.look_after(100.0)

    assert math.inf == notices.deadline


def test_a_master_that_is_ready_has_nothing_to_repeat(notices: Notices) -> None:
    """Without a watchdog; while it starts, it asks for time again and again."""
    notices.look_after(100.0)
    starting = notices.deadline
    notices.told = Told.READY
    notices.look_after(101.0)

    assert 110.0 == starting
    assert math.inf == notices.deadline


def test_without_a_limit_of_ours_the_unit_s_holds(
    notices: Notices, manager: Manager
) -> None:
    """Who switches boot_timeout off asks for no time that never ends."""
    notices.arbiter.premises.config.put("boot_timeout", 0, "the test")
    notices.look_after(100.0)

    assert math.inf == notices.deadline


def test_the_watchdog_starves_when_no_worker_lives(
    notices: Notices, manager: Manager
) -> None:
    """Unless none is wanted: WINCH retires them all."""
    notices.manager.watchdog = 20.0
    roster = notices.arbiter.roster
    member = Member(0, 1, os.getpid(), 100.0)
    for now, target, state in (
        (100.0, 1, State.BOOTING),
        (109.0, 1, State.BOOTING),  # not yet
        (110.0, 1, State.KILLED),
        (120.0, 0, State.KILLED),
    ):
        roster.slot(0).members[:] = [member]
        member.state, roster.target = state, target
        notices.look_after(now)
        manager.listen(0.0)
    roster.slots.clear()
    manager.wait_until(lambda: len(manager.said("WATCHDOG")) == 2, "fed twice")


def test_a_mold_keeps_the_watchdog_quiet_only_while_it_loads(
    notices: Notices, manager: Manager
) -> None:
    """When it has loaded the application, workers must live; else nobody serves."""
    notices.manager.watchdog = 20.0
    arbiter = notices.arbiter
    arbiter.roster.target = 1
    here, there = Channel.pair()
    reader, writer = os.pipe()
    os.close(writer)
    member = Member(0, 1, os.getpid(), 100.0)
    mold = Mold(arbiter.premises.config, member, here, reader)
    arbiter.keeper.molds.all.append(mold)
    for now, state in ((100.0, State.BOOTING), (110.0, State.READY)):
        member.state = state
        notices.look_after(now)
    notices.manager.tell("STATUS=the last word")
    manager.wait_for("STATUS=the last word")
    arbiter.keeper.molds.all.clear()
    mold.close()
    there.close()

    assert ["WATCHDOG=1"] == manager.said("WATCHDOG")


def test_a_new_master_goes_on_where_the_old_one_stopped(
    notices: Notices, manager: Manager
) -> None:
    """systemd knows that the service is ready; a HUP that came early is answered."""
    succession = notices.arbiter.premises.succession
    succession.predecessor, notices.arbiter.proven = os.getppid(), True
    notices.look_after(100.0)
    notices.hung_up = True
    notices.look_after(101.0)

    assert math.inf == notices.deadline

    succession.main = True
    notices.look_after(102.0)
    manager.wait_for("READY=1")
    succession.predecessor = 0

    assert ["RELOADING=1", "READY=1"] == manager.said("RELOADING", "READY")


def test_what_there_is_no_room_for_is_said_later(
    notices: Notices, manager: Manager
) -> None:
    """The queue of a manager is finite, and the master does not wait."""
    while notices.manager.tell("STATUS=noise"):
        pass
    notices.told = Told.READY
    notices.look_after(100.0)

    assert notices.deadline < math.inf

    manager.listen(1.0)
    notices.look_after(101.0)
    manager.wait_for("STATUS=0 of 1 workers serve")

    assert math.inf == notices.deadline
