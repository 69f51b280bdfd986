"""USR2: a new master on the same listeners, beside the old one or in its place."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from conftest import Serve
from running import LIMIT, Load, Server, children, environment, get, wait_until


def new_master(server: Server) -> int:
    """Start a new master with USR2; its pid, once it serves."""
    server.get()
    server.signal(signal.SIGUSR2)
    pid = int(server.wait_for_log(r"a new master starts, pid (\d+)")[1])
    server.wait_for_log(r"gen=1 pid=\d+ serves", times=2)
    return pid


def end(server: Server, pid: int) -> None:
    """Stop the new master, which is no child of the test's, and wait for all."""
    os.kill(pid, signal.SIGTERM)
    server.wait_until_all_are_gone()


def test_a_new_master_takes_over_and_loses_nothing(serve: Serve) -> None:
    """
    USR2, then TERM to the old master: clients never notice.
    """
    server = serve("apps.pid:app", bind="127.0.0.1:0")
    address = server.address
    server.get()
    with Load(address) as load:
        new = new_master(server)
        load.wait_for_requests()
        server.signal(signal.SIGTERM)
        server.process.wait()
        server.wait_for_log("this one takes its place")
        load.wait_for_requests()
    end(server, new)

    assert [] == load.losses
    assert len(load.texts) >= 2


def test_the_pid_file_moves(serve: Serve, tmp_path: Path) -> None:
    """
    The new master's pid file ends with .2 until the old master is gone.
    """
    path = tmp_path / "pid"
    second = tmp_path / "pid.2"
    server = serve("apps.pid:app", f"--pid={path}", bind="127.0.0.1:0")
    new = new_master(server)
    before = path.read_text(), second.read_text()
    server.signal(signal.SIGTERM)
    server.process.wait()
    wait_until(lambda: not second.exists(), "the pid file is renamed")
    after = path.read_text()
    end(server, new)

    assert (f"{server.pid}\n", f"{new}\n") == before
    assert f"{new}\n" == after
    assert not path.exists()


def test_the_old_master_comes_back(serve: Serve) -> None:
    """
    USR2, WINCH to the old master; then HUP to it and TERM to the new one: as before.
    """
    server = serve("apps.pid:app", bind="127.0.0.1:0")
    address = server.address
    new = new_master(server)
    with Load(address) as load:
        server.signal(signal.SIGWINCH)
        server.wait_for_log(r"gen=1 pid=\d+ exited")
        load.wait_for_requests()
        server.signal(signal.SIGHUP)
        server.wait_for_log(r"gen=2 pid=\d+ serves")
        os.kill(new, signal.SIGTERM)
        server.wait_for_log("the new master exited")
        load.wait_for_requests()

    assert [] == load.losses
    assert 200 == server.get().status


def test_a_second_new_master_is_refused(serve: Serve) -> None:
    """
    There are at most two masters: USR2 is refused while there is another one.
    """
    server = serve("apps.pid:app", bind="127.0.0.1:0")
    new = new_master(server)
    server.signal(signal.SIGUSR2)
    server.wait_for_log("there is another master already")
    os.kill(new, signal.SIGUSR2)
    server.wait_for_log("there is another master already", times=2)

    os.kill(new, signal.SIGTERM)
    server.wait_for_log(r"\[INFO\] the new master exited\n")


def test_a_new_master_that_fails_harms_nobody(serve: Serve) -> None:
    """
    If the new master can't start, the old one says so and goes on.
    """
    server = serve("apps.pid:app", config="timeout = 30\n", bind="127.0.0.1:0")
    server.get()
    server.config_path.write_text("timeout = 'soon'\n")
    server.signal(signal.SIGUSR2)
    server.wait_for_log(r"\[ERROR\] the new master exited with status 1: .*soon")

    assert 200 == server.get().status
    assert [] == [pid for pid in children(server.pid) if pid not in server.workers()]


def test_the_new_master_runs_the_same_command(serve: Serve) -> None:
    """
    The new master has the arguments and the directory of the old one.
    """
    config = """
import os, sys
def on_starting(server): server.log.info("I am %s in %s", sys.orig_argv, os.getcwd())
"""
    server = serve("apps.pid:app", config=config, bind="127.0.0.1:0")
    new = new_master(server)
    server.signal(signal.SIGTERM)
    server.process.wait()
    end(server, new)
    lines = re.findall("I am .*", server.log)

    assert 2 == len(lines)
    assert 1 == len(set(lines))


def test_the_new_master_has_no_stray_descriptors(serve: Serve) -> None:
    """
    Of the old master's descriptors the new one has the listeners, and no more.
    """
    server = serve("apps.pid:app", bind="127.0.0.1:0")
    new = new_master(server)
    counts = [len(os.listdir(f"/proc/{pid}/fd")) for pid in (server.pid, new)]
    server.signal(signal.SIGTERM)
    server.process.wait()
    end(server, new)

    assert counts[0] == counts[1]


AS_GUNICORN = """
import os, sys
master = os.getpid()
if os.fork() == 0:
    os.environ["GUNICORN_PID"] = str(master)
    os.environ["GUNICORN_FD"] = sys.argv[1]
    os.execv(sys.executable, [sys.executable, "-m", "tiamat", *sys.argv[2:]])
sys.stdin.read()
"""
"""What gunicorn's master does on USR2, if the command by then is ours."""


def test_gunicorn_hands_its_place_over(tmp_path: Path) -> None:
    """
    USR2 to a gunicorn whose command is Tiamat's by now: its listeners are ours, and
    when it is gone its pid file too.
    """
    path, second, log = (tmp_path / name for name in ("pid", "pid.2", "log"))
    path.write_text("gunicorn's\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address, fd = listener.getsockname(), listener.fileno()
        bind = f"127.0.0.1:{address[1]}"
        command = [
            "apps.pid:app",
            f"--bind={bind}",
            f"--pid={path}",
            f"--log-file={log}",
        ]
        gunicorn = subprocess.Popen(
            [sys.executable, "-c", AS_GUNICORN, str(fd), *command],
            pass_fds=[fd],
            env=environment(tmp_path),
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            status = get(address).status
            listener.close()
            new, before = int(second.read_text()), path.read_text()
            gunicorn.communicate(timeout=LIMIT)
            wait_until(lambda: path.read_text() == f"{new}\n", "it has the pid file")
            after = get(address).status
            os.kill(new, signal.SIGTERM)
            wait_until(lambda: not Path(f"/proc/{new}/exe").exists(), "it has ended")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(gunicorn.pid, signal.SIGKILL)

    assert not path.exists()
    assert (200, 200) == (status, after)
    assert "gunicorn's\n" == before
    assert f"listening on http://{bind}" in log.read_text()
    assert "the old master is gone; this one takes its place" in log.read_text()
