"""USR2 with reexec_mode = auto: real masters, one after the other, under load."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from asking import ctl
from conftest import Serve
from masters import pid_in, stop_all, usr2
from running import LIMIT, Load, Server, children, ended, environment, get, wait_until
from service_manager import Manager

FROM_PID = "from apps.pid import app\n"
SLOW = """
import time
from pathlib import Path

Path("importing").touch()
while not Path("go").exists():
    time.sleep(0.01)

from apps.pid import app
"""

Auto = Callable[..., Server]


@pytest.fixture
def auto(serve: Serve, tmp_path: Path) -> Iterator[Auto]:
    """
    Start a server with reexec_mode = auto, a pid file, and code of its own.

    All masters that it has had are stopped at the end.
    """
    servers = []

    def start(*flags: str, code: str = FROM_PID, watch: float = 600.0) -> Server:
        write(tmp_path, code)
        server = serve(
            "site_of_test:app",
            *("--workers=2", "--reexec-mode=auto", f"--reload-watch={watch}"),
            *(f"--pid={tmp_path / 'pid'}", *flags),
            bind="127.0.0.1:0",
        )
        servers.append(server)
        server.wait_for_log("serves\n", times=2)
        return server

    yield start
    for server in servers:
        stop_all(server)


def write(tmp_path: Path, code: str) -> None:
    """Put new code where the server has its own."""
    directory = tmp_path / "server-0"
    directory.mkdir(exist_ok=True)
    (directory / "site_of_test.py").write_text(code)


def answers(path: Path) -> int:
    """The pid of the master that a control socket leads to; 0 if it is that of none."""
    done = ctl(f"--socket={path}", "--json", "status")
    return 0 if done.returncode else int(json.loads(done.stdout)["data"]["pid"])


def test_a_new_master_takes_over_by_itself(auto: Auto, tmp_path: Path) -> None:
    """The old one serves until it does, then goes; clients never notice."""
    server = auto(watch=0)
    with Load(server.address) as load:
        load.wait_for_requests()
        new = usr2(server)
        assert 0 == server.process.wait(LIMIT)
        server.wait_for_log("the old master is gone; this one takes its place")
        before = load.texts.copy()
        load.wait_for_requests()
    pids = {text for text, count in load.texts.items() if count > before[text]}

    assert [] == load.losses
    assert pids <= set(map(str, children(new)))
    assert new == pid_in(tmp_path / "pid")
    assert not (tmp_path / "pid.2").exists()


def test_a_new_master_has_a_mold_of_its_own(auto: Auto) -> None:
    """With preload_app the old one's goes with it."""
    server = auto("--preload", watch=0)
    with Load(server.address) as load:
        load.wait_for_requests()
        usr2(server)
        assert 0 == server.process.wait(LIMIT)
        server.wait_for_log("this one takes its place")
        load.wait_for_requests()

    assert [] == load.losses


def test_the_old_master_serves_as_long_as_the_new_one_boots(
    auto: Auto, tmp_path: Path
) -> None:
    """Names, workers, pid file: nothing changes until all of the new ones serve."""
    server = auto(watch=0)
    workers = server.workers()
    write(tmp_path, SLOW)
    new = usr2(server)
    wait_until((server.directory / "importing").exists, "the new code is imported")
    with Load(server.address) as load:
        load.wait_for_requests()

    assert [] == load.losses
    assert set(load.texts) <= set(map(str, workers))
    assert {server.pid, new} == {pid_in(tmp_path / "pid"), pid_in(tmp_path / "pid.2")}

    (server.directory / "go").touch()

    assert 0 == server.process.wait(LIMIT)


def test_while_it_is_watched_the_new_one_has_the_names(
    auto: Auto, tmp_path: Path
) -> None:
    """The old one is there, without workers."""
    server = auto()
    new = usr2(server)
    server.wait_for_log("this one has its names")
    wait_until(lambda: pid_in(tmp_path / "pid") == new, "the pid file is its")
    wait_until(lambda: server.workers() == [new], "the old one has no workers")

    assert not (tmp_path / "pid.2").exists()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ImportError('no such table')\n", "no such table"),
        ("", "site_of_test"),
    ],
    ids=["import", "attribute"],
)
def test_new_code_that_does_not_load_leaves_all_as_it_was(
    auto: Auto, tmp_path: Path, code: str, reason: str
) -> None:
    """The same workers, the same pid file, and a line of the old one that says why."""
    server = auto()
    workers = server.workers()
    server.expect("")
    with Load(server.address) as load:
        write(tmp_path, code)
        usr2(server)
        line = server.wait_for_log(r"\[ERROR\] the new master exited with .*")[0]
        load.wait_for_requests()

    assert [] == load.losses
    assert reason in line
    assert workers == server.workers()
    assert server.pid == pid_in(tmp_path / "pid")
    assert not (tmp_path / "pid.2").exists()


def test_settings_that_are_wrong_are_named_by_the_old_master(auto: Auto) -> None:
    """Though the new one has no log yet; and the next attempt is a fresh one."""
    server = auto()
    server.config_path.write_text("timeout = 'soon'\n")
    usr2(server)
    line = server.wait_for_log(r"\[ERROR\] the new master exited with status 1.*")[0]
    server.config_path.unlink()
    usr2(server, times=2)
    server.wait_for_log("the new master serves")

    assert "timeout = 'soon'" in line


def test_a_new_master_that_is_killed_before_it_serves_is_forgotten(
    auto: Auto, tmp_path: Path
) -> None:
    """Its pid file too; and clients never notice."""
    server = auto()
    server.expect("the new master was killed by SIGKILL")
    server.expect("killed by SIGKILL")
    workers = server.workers()
    write(tmp_path, SLOW)
    with Load(server.address) as load:
        new = usr2(server)
        wait_until((server.directory / "importing").exists, "it imports")
        os.kill(new, signal.SIGKILL)
        server.wait_for_log(r"\[ERROR\] the new master killed by SIGKILL")
        (server.directory / "go").touch()
        load.wait_for_requests()

    assert [] == load.losses
    assert workers == server.workers()
    assert not (tmp_path / "pid.2").exists()


def test_the_old_master_comes_back_if_the_new_one_dies(
    auto: Auto, tmp_path: Path
) -> None:
    """Workers and pid file, by itself; connections wait meanwhile."""
    server = auto()
    server.expect("killed by SIGKILL")
    with Load(server.address) as load:
        new = usr2(server)
        server.wait_for_log("this one has its names")
        load.wait_for_requests()
        os.kill(new, signal.SIGKILL)
        server.wait_for_log("this one comes back")
        load.wait_for_requests()
        wait_until(lambda: len(server.workers()) == 2, "it has workers again")
        wait_until(lambda: pid_in(tmp_path / "pid") == server.pid, "its pid file")

    assert [] == load.losses
    assert server.process.poll() is None

    usr2(server, times=2)
    server.wait_for_log("the new master serves", times=2)


def test_five_new_masters_in_a_row_lose_no_request(auto: Auto, tmp_path: Path) -> None:
    """Each from the one before, found by the pid file."""
    server = auto(watch=0)
    masters = [server.pid]
    with Load(server.address) as load:
        for time in range(1, 6):
            os.kill(masters[-1], signal.SIGUSR2)
            found = server.wait_for_log(r"a new master starts, pid (\d+)", time)
            masters.append(int(found[1]))
            if time == 1:
                server.process.wait(LIMIT)
            server.wait_for_log("this one takes its place", time)
            wait_until(lambda: pid_in(tmp_path / "pid") == masters[-1], "pid file")
            load.wait_for_requests()

    assert [] == load.losses
    assert all(map(ended, masters[:-1]))


def test_a_stop_while_the_new_one_is_watched_is_for_both(auto: Auto) -> None:
    """Whoever signals the old one means the server; it waits for the new one."""
    server = auto()
    new = usr2(server)
    server.wait_for_log("this one has its names")
    server.signal(signal.SIGTERM)

    assert 0 == server.process.wait(LIMIT)
    assert ended(new)


def test_a_stop_of_the_new_one_is_none_of_its_deaths(
    auto: Auto, tmp_path: Path
) -> None:
    """Its pid is in the pid file: so the old one stops too."""
    server = auto()
    usr2(server)
    server.wait_for_log("this one has its names")
    wait_until(lambda: pid_in(tmp_path / "pid") != server.pid, "the pid file is its")
    os.kill(pid_in(tmp_path / "pid"), signal.SIGTERM)

    assert 0 == server.process.wait(LIMIT)
    assert not (tmp_path / "pid").exists()


def test_a_stop_before_the_new_one_serves_is_for_both(
    auto: Auto, tmp_path: Path
) -> None:
    """It hangs in its import, and does not hold the stop up."""
    server = auto()
    write(tmp_path, SLOW)
    new = usr2(server)
    wait_until((server.directory / "importing").exists, "it imports")
    server.signal(signal.SIGTERM)

    assert 0 == server.process.wait(LIMIT)
    assert ended(new)


def test_commands_reach_the_master_that_serves(auto: Auto, tmp_path: Path) -> None:
    """The control socket moves as the pid file does, there and back."""
    path = tmp_path / "c" / "control"
    server = auto(f"--control-socket={path}")
    server.expect("killed by SIGKILL")
    new = usr2(server)
    server.wait_for_log("this one has its names")
    wait_until(lambda: answers(path) == new, "the new one answers")
    os.kill(new, signal.SIGKILL)
    server.wait_for_log("this one comes back")
    wait_until(lambda: answers(path) == server.pid, "the old one answers")

    assert [path] == list(path.parent.iterdir())


def test_a_command_to_stop_is_for_both_masters(auto: Auto, tmp_path: Path) -> None:
    """Before the new one serves; and there is no reload meanwhile."""
    path = tmp_path / "c" / "control"
    server = auto(f"--control-socket={path}")
    write(tmp_path, SLOW)
    new = usr2(server)
    wait_until((server.directory / "importing").exists, "it imports")
    refused = ctl(f"--socket={path}", "reload")

    assert (1, 0) == (refused.returncode, ctl(f"--socket={path}", "stop").returncode)
    assert "a new master starts" in refused.stdout + refused.stderr
    assert 0 == server.process.wait(LIMIT)
    assert ended(new)


def test_another_order_ends_the_watch_and_is_passed_on(auto: Auto) -> None:
    """HUP: systemd sends it to the master that it knows, which is the old one."""
    server = auto()
    new = usr2(server)
    server.wait_for_log("this one has its names")
    server.signal(signal.SIGHUP)

    assert 0 == server.process.wait(LIMIT)
    server.wait_for_log(rf"\[{new}\] \[INFO\] HUP: reloading")
    server.wait_for_log(r"gen=2 pid=\d+ serves", times=2)


def test_a_reload_is_refused_while_a_new_master_starts(
    auto: Auto, tmp_path: Path
) -> None:
    """And a new master is refused while there is another one."""
    server = auto()
    write(tmp_path, SLOW)
    usr2(server)
    wait_until((server.directory / "importing").exists, "it imports")
    server.signal(signal.SIGHUP)
    server.wait_for_log("HUP: refused while a new master starts")
    server.signal(signal.SIGUSR2)
    server.wait_for_log("there is another master already")
    (server.directory / "go").touch()


def test_a_new_master_that_does_not_come_to_serve_is_ended(
    auto: Auto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The old one has served all the time."""
    (tmp_path / "server-0").mkdir()
    (tmp_path / "server-0" / "sitecustomize.py").write_text(
        "import tiamat.master.handover as h\nh.LIMIT = 1.1 - 60\n"
    )
    server = auto("--boot-timeout=60")  # and LIMIT on top: 1.1 s
    workers = server.workers()
    server.config_path.write_text("import time\ntime.sleep(600)\n")
    usr2(server)
    server.wait_for_log(r"the new master did not come to serve in 1\.1 s")
    server.wait_for_log(r"\[ERROR\] the new master killed by SIGTERM: did not come")

    assert workers == server.workers()


# --- By their names -------------------------------------------------------------------

ANSWER = """
import os, sys

def app(environ, start_response):
    start_response("200 OK", [])
    return [f"{os.getcwd()} {sys.executable}".encode()]
"""

SCRIPT = """
import sys
from tiamat.cli import main
sys.exit(main())
"""


def release(directory: Path) -> None:
    """A release: code, and an environment whose script names its interpreter."""
    (directory / "bin").mkdir(parents=True)
    (directory / "site_of_test.py").write_text(ANSWER)
    (directory / "pyvenv.cfg").write_text(Path(sys.prefix, "pyvenv.cfg").read_text())
    (directory / "lib").symlink_to(Path(sys.prefix, "lib"))
    (directory / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    script = directory / "bin" / "tiamat"
    script.write_text(f"#!{directory}/bin/python\n{SCRIPT}")
    script.chmod(0o755)


@pytest.mark.parametrize("way", ["module", "script"])
def test_a_release_that_a_link_points_to_by_now_is_taken(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Directory, code and interpreter: by the names that the old master was given."""
    link, second = tmp_path / "current", tmp_path / "second"
    for name in ("one", "two"):
        release(tmp_path / name)
    link.symlink_to("one")
    second.symlink_to("two")
    monkeypatch.setattr(sys, "executable", f"{link}/bin/python")
    server = Server(
        link,
        "site_of_test:app",
        *("--reexec-mode=auto", "--reload-watch=0", f"--log-file={tmp_path / 'log'}"),
        bind="127.0.0.1:0",
        program=f"{link}/bin/tiamat" if way == "script" else "",
    )
    server.log_path = tmp_path / "log"
    try:
        before = server.get().text
        address = server.address
        second.rename(link)
        usr2(server)
        server.process.wait(LIMIT)
        server.wait_for_log("this one takes its place")
        after = get(address).text
    finally:
        stop_all(server)
        server.close()
    interpreters = [
        link if way == "module" else tmp_path / name for name in ("one", "two")
    ]

    assert f"{tmp_path}/one {interpreters[0]}/bin/python" == before
    assert f"{tmp_path}/two {interpreters[1]}/bin/python" == after


AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "tiamat", *sys.argv[2:]])
"""


def test_sockets_of_systemd_are_handed_on_with_their_names(tmp_path: Path) -> None:
    """The new master serves the same one, and knows what it is called."""
    log = tmp_path / "log"
    flags = ["--reexec-mode=auto", "--reload-watch=0", f"--log-file={log}"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address, fd = listener.getsockname(), listener.fileno()
        systemd = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}
        old = subprocess.Popen(
            [sys.executable, "-c", AS_SYSTEMD, str(fd), "apps.pid:app", *flags],
            pass_fds=[fd],
            env=environment(tmp_path) | systemd,
            cwd=tmp_path,
        )
        get(address)
        old.send_signal(signal.SIGUSR2)
        old.wait(LIMIT)
        wait_until(lambda: "takes its place" in log.read_text(), "it is the only one")
        status = get(address).status
    new = int(re.findall(r"a new master starts, pid (\d+)", log.read_text())[0])
    os.kill(new, signal.SIGTERM)
    wait_until(lambda: ended(new), "it ends")

    assert 200 == status
    assert 2 == log.read_text().count(f"http://127.0.0.1:{address[1]} (http)\n")


# --- Under systemd --------------------------------------------------------------------


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """Who listens to the servers of a test."""
    heard = Manager.in_directory(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", heard.address)
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    yield heard
    heard.close()


def test_the_old_master_names_the_new_one_before_it_goes(
    auto: Auto, manager: Manager
) -> None:
    """NotifyAccess=main: nobody speaks who is not the main process."""
    server = auto(watch=0)
    manager.wait_for("READY=1", pid=server.pid)
    new = usr2(server)
    manager.wait_for(f"MAINPID={new}", pid=server.pid)
    manager.wait_for("BARRIER=1", pid=server.pid)
    manager.wait_for("STATUS=2 of 2 workers serve, generation 1", pid=new)
    manager.wait_for("WATCHDOG=1", times=2, pid=new)
    pids = [pid for pid, _ in manager.heard]

    assert [server.pid, new] == sorted(set(pids), key=pids.index)
    assert pids == sorted(pids, key=[server.pid, new].index)
    assert [] == manager.said("STOPPING")


def test_a_new_master_that_dies_never_was_the_main_process(
    auto: Auto, manager: Manager
) -> None:
    """The status says that it came, and why it went."""
    server = auto()
    server.expect("killed by SIGKILL")
    manager.wait_for("READY=1")
    new = usr2(server)
    manager.wait_for(
        f"STATUS=2 of 2 workers serve, generation 1, a new master starts, pid {new}"
    )
    manager.wait_for(f"a new master serves and is watched, pid {new}")
    os.kill(new, signal.SIGKILL)
    manager.wait_for(
        "STATUS=2 of 2 workers serve, generation 1, re-exec failed: the new master"
        " killed by SIGKILL"
    )

    assert [] == manager.said("MAINPID", "STOPPING")
    assert {server.pid} == {pid for pid, _ in manager.heard}


def test_a_reload_in_the_watch_is_the_new_master_s(
    auto: Auto, manager: Manager
) -> None:
    """systemctl reload signals the old one; the new one says what came of it."""
    server = auto()
    manager.wait_for("READY=1")
    new = usr2(server)
    manager.wait_for("a new master serves and is watched")
    server.signal(signal.SIGHUP)
    manager.wait_for(f"MAINPID={new}", pid=server.pid)
    manager.wait_for("RELOADING=1", pid=new)
    manager.wait_for("READY=1\nSTATUS=2 of 2 workers serve, generation 2", pid=new)


def test_by_hand_the_old_master_names_the_new_one_when_it_is_stopped(
    serve: Serve, manager: Manager
) -> None:
    """reexec_mode = manual: TERM to the old one is no end of the service."""
    server = serve("apps.pid:app", bind="127.0.0.1:0")
    manager.wait_for("READY=1")
    new = usr2(server)
    manager.wait_for(f"a new master serves too, pid {new}")
    server.signal(signal.SIGTERM)
    manager.wait_for(f"MAINPID={new}", pid=server.pid)
    manager.wait_for("STATUS=1 of 1 workers serve", pid=new)

    assert [] == manager.said("STOPPING")

    stop_all(server)
