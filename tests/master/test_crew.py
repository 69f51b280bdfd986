"""Helpers that the settings name, kept by real servers."""

import os
import signal
from pathlib import Path

from asking import ctl, data_of
from conftest import Serve
from masters import stop_all, usr2
from running import Server, ended, wait_until

# A command and what it starts: it says both pids, and waits.
PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print("pids", os.getpid(), child.pid, "in", os.getpgid(0), flush=True)
child.wait()
"""

FUNCTIONS = """
import logging, os, signal, tiamat

def wait():
    logging.getLogger("tiamat.error").info(
        "it runs in %d for %s", os.getpid(), tiamat.current_worker()
    )
    try:
        signal.pause()
    finally:
        logging.getLogger("tiamat.error").info("it cleans up")

async def coroutine():
    logging.getLogger("tiamat.error").info("a coroutine runs")
    wait()
"""


def start(serve: Serve, tmp_path: Path, helpers: str, *flags: str) -> Server:
    """A server with these helpers, once it serves."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "parent.py").write_text(PARENT)
    (directory / "functions.py").write_text(FUNCTIONS)
    config = f"import sys\nhelpers = {helpers}\n"
    server = serve("apps.pid:app", *flags, config=config)
    server.get()
    return server


COMMAND = '{"one": sys.executable + " parent.py"}'
FUNCTION = '{"fun": "functions:wait"}'


def begun(server: Server, name: str, times: int = 1) -> int:
    """The pid of a helper, when it has begun for the *times*-th time."""
    return int(server.wait_for_log(rf"helper {name} pid=(\d+) begins", times)[1])


def printed(server: Server, times: int = 1) -> list[int]:
    """What the command says of itself: its pid, that of its child, its group."""
    match = server.wait_for_log(r"\[one\] pids (\d+) (\d+) in (\d+)", times)
    return [int(number) for number in match.groups()]


def test_a_command_is_kept_alive_with_what_it_starts(
    serve: Serve, tmp_path: Path
) -> None:
    """It leads a group; if it dies its child goes, too, and the next one begins."""
    server = start(serve, tmp_path, COMMAND)
    pid, child, group = printed(server)

    assert begun(server, "one") == pid == group

    server.expect("helper one")
    os.kill(pid, signal.SIGKILL)
    server.wait_for_log(rf"helper one pid={pid} killed by SIGKILL; the next one comes")
    wait_until(lambda: ended(child), "its child has gone")
    second, child, _ = printed(server, 2)

    assert begun(server, "one", 2) == second
    assert 0 == server.stop()
    assert ended(second)
    wait_until(lambda: ended(child), "its child has gone, too")


def test_a_function_runs_in_a_process_that_is_no_worker(
    serve: Serve, tmp_path: Path
) -> None:
    """It is imported there, and may clean up."""
    both = '{"fun": "functions:wait", "co": "functions:coroutine"}'
    server = start(serve, tmp_path, both)
    server.wait_for_log(rf"it runs in {begun(server, 'fun')} for None")
    server.wait_for_log(rf"it runs in {begun(server, 'co')} for None")
    server.log_path.rename(server.directory / "old.log")
    server.signal(signal.SIGUSR1)
    server.wait_for_log("logs reopened")

    assert 0 == server.stop()
    # The new file: so they have opened it again. The log of one may be the old one
    # still, if it is told to go before it has heard that; never the master's.
    assert "helper fun" in server.log
    assert ": the server stops" in server.log


def test_broken_helpers_harm_nobody(serve: Serve, tmp_path: Path) -> None:
    """The log says why; there are pauses; reloads are committed; workers serve."""
    broken = '{"a": "/nowhere/at-all x", "b": "nowhere:f", "c": "parent:missing"}'
    server = start(serve, tmp_path, broken, "--reload-watch=0.1")
    server.expect("Traceback")
    server.wait_for_log(
        r"helper a pid=\d+ exited with status 127: can't run /nowhere/at-all:"
        " No such file or directory; the next one comes in 0 s"
    )
    server.wait_for_log(r"helper b: .*no module named 'nowhere'|helper b: .*nowhere")
    server.wait_for_log(r"helper a .* comes in 0.5 s")
    server.signal(signal.SIGHUP)
    server.wait_for_log("generation 2 has proved good")

    assert 200 == server.get().status


def test_a_reload_replaces_all_one_by_one(serve: Serve, tmp_path: Path) -> None:
    """Their code may have changed; those that are named no more go."""
    two = '{"fun": "functions:wait", "other": "functions:wait"}'
    server = start(serve, tmp_path, two, "--reload-watch=0.1")
    first, other = begun(server, "fun"), begun(server, "other")
    server.config_path.write_text(
        f"import sys\nhelpers = {COMMAND[:-1]}, **{FUNCTION}}}"
    )
    server.signal(signal.SIGHUP)
    second = begun(server, "fun", 2)
    begun(server, "one")
    wait_until(lambda: ended(first) and ended(other), "the old ones have gone")

    assert first != second
    server.wait_for_log("helper other .* not in the settings any more")


def test_restart_and_status_know_them_by_name(serve: Serve, tmp_path: Path) -> None:
    """And the metrics count them."""
    control = tmp_path / "c" / "control"
    server = start(serve, tmp_path, FUNCTION, f"--control-socket={control}")
    pid = begun(server, "fun")
    done = ctl(f"--socket={control}", "restart", "fun")

    assert (
        f"helper fun pid={pid} is told to go; the next one comes then\n" == done.stdout
    )

    second = begun(server, "fun", 2)
    [helper] = data_of(control, "status")["helpers"]

    assert ("fun", second, "running", 1) == (
        *(helper["name"], helper["pid"], helper["state"], helper["restarts"]),
    )
    assert {"fun": 1} == data_of(control, "metrics")["facts"]["helpers"]
    text = ctl(f"--socket={control}", "status").stdout
    assert f"helper fun pid={second}, running" in text
    done = ctl(f"--socket={control}", "restart", "fan")
    assert (1, "tiamatctl: no helper 'fan': fun\n") == (done.returncode, done.stderr)


def test_two_masters_never_have_them_at_once(serve: Serve, tmp_path: Path) -> None:
    """The new one begins its own when those of the old one are gone."""
    flags = "--reexec-mode=auto", "--reload-watch=0.1"
    server = start(serve, tmp_path, FUNCTION, *flags)
    first = begun(server, "fun")
    usr2(server)
    begun(server, "fun", 2)

    assert ended(first)
    # In this order in the log, which both write.
    log = server.log
    assert log.index(f"helper fun pid={first} exited") < log.rindex(" begins")

    server.process.wait()
    stop_all(server)


def test_they_go_with_a_master_that_is_killed(serve: Serve, tmp_path: Path) -> None:
    """The kernel tells them."""
    server = start(serve, tmp_path, '{"fun": "functions:wait", "cat": "sleep 1000"}')
    pids = begun(server, "fun"), begun(server, "cat")
    server.process.kill()
    wait_until(lambda: all(map(ended, pids)), "they have gone")
    server.wait_until_all_are_gone()
