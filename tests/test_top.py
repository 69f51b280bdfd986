"""``tiamatctl top``: a live view, in a terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from asking import command, kept
from conftest import Serve
from rich.console import Console
from running import LIMIT, Load

from tiamat.top import View, memory_of

WORKER = {
    "slot": 0,
    "pid": os.getpid(),
    "generation": 1,
    "state": "serving",
    "due": "",
    "seconds": 3.0,
    "busy": True,
    "in_flight": 1,
    "memory": 1 << 20,
    "requests": 100,
    "took": 2.0,
    "errors": 1,
    "connections": 4,
    "request": {"method": "GET", "path": "/[red]\x1b[2J", "seconds": 2.0},
}

STATUS = {
    "version": "1.2",
    "pid": 1,
    "seconds": 3.0,
    "application": "app:app",
    "listeners": [],
    "target": 1,
    "serving": 1,
    "generation": 1,
    "stopping": False,
    "reloading": False,
    "last_reload": None,
    "requests": 300,
    "took": 6.0,
    "molds": [],
    "helper": None,
    "workers": [WORKER],
}


def text_of(view: View) -> str:
    """What is on the screen, a wide one."""
    console = Console(width=200, force_terminal=False)
    with console.capture() as capture:
        console.print(view.shown())
    return capture.get()


def test_what_grows_is_shown_per_second() -> None:
    """From the second look on; of all workers also what is counted of dead ones."""
    view = View()
    view.look({"data": STATUS}, 100.0)

    assert "- requests per second, 1 in flight, 4 connections" in text_of(view)

    later = STATUS | {
        "requests": 360,
        "workers": [WORKER | {"requests": 150, "took": 2.5}],
    }
    view.look({"data": later}, 102.0)

    assert {os.getpid(): 25.0} == view.rates
    assert "30.0 requests per second" in text_of(view)
    assert re.search(r"SLOT +PID +GEN +STATE", text_of(view))
    assert re.search(
        r"serving +3s +25\.0 +150 +10\.0ms +1 +4 +1 +[0-9.]+M ", text_of(view)
    )


def test_a_new_worker_has_counted_from_nothing() -> None:
    """It was not there at the look before."""
    view = View()
    view.look({"data": STATUS | {"workers": []}}, 100.0)
    view.look({"data": STATUS}, 110.0)

    assert {os.getpid(): 10.0} == view.rates


def test_a_path_commands_no_terminal() -> None:
    """A client chose it; neither escapes nor markup are obeyed."""
    view = View()
    view.look({"data": STATUS}, 100.0)

    assert "GET /[red]?[2J 2.0s" in text_of(view)


def test_memory_is_that_of_the_process() -> None:
    """In bytes; of one that is gone there is none."""
    memory = memory_of(os.getpid())

    assert memory is not None
    assert memory > 1024 * 1024
    assert memory_of(2**22 + 1) is None


def read_until(master: int, pattern: str) -> str:
    """Read from the terminal until it has shown the pattern."""
    text, deadline = "", time.monotonic() + LIMIT
    while not re.search(pattern, text):
        assert select.select([master], (), (), LIMIT)[0], f"no {pattern} in {text!r}"
        assert time.monotonic() < deadline, f"no {pattern} in {text!r}"
        text += os.read(master, 65536).decode(errors="replace")
    return text


def drain(master: int) -> None:
    """Read what is left; the other end is closed, or will be."""
    try:
        while os.read(master, 65536):
            pass
    except OSError:  # EIO: nobody has the other end any more
        pass


def test_it_runs_in_a_terminal_until_ctrl_c(serve: Serve, tmp_path: Path) -> None:
    """It shows the workers, and that they work; then the terminal is as before."""
    path = tmp_path / "c" / "control"
    server = serve("apps.pid:app", "--workers=2", f"--control-socket={path}")
    server.wait_for_log("serves", times=2)
    pids = server.workers()
    master, slave = pty.openpty()
    top = subprocess.Popen(
        command(f"--socket={path}", "top", "--interval=0.1"),
        env=kept() | {"TERM": "xterm", "COLUMNS": "200", "LINES": "40"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    with Load(server.address):
        text = read_until(master, r"[1-9]\d*\.\d requests per second")
    for pid in pids:
        assert str(pid) in text

    top.send_signal(signal.SIGINT)
    drain(master)

    assert 0 == top.wait(LIMIT)

    os.close(master)


def test_it_ends_when_the_server_does(serve: Serve, tmp_path: Path) -> None:
    """With the status that says that nobody answers."""
    path = tmp_path / "c" / "control"
    server = serve("apps.pid:app", f"--control-socket={path}")
    server.wait_for_log("serves")
    top = subprocess.Popen(
        command(f"--socket={path}", "top", "--interval=0.1"),
        env=kept(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    server.stop()
    _, error = top.communicate(timeout=LIMIT)

    assert 3 == top.returncode
    assert f"tiamatctl: no server at {path}" in error


def test_without_rich_it_says_what_to_install(tmp_path: Path) -> None:
    """All other commands do without."""
    text = (
        "import sys; sys.modules['rich'] = None\n"
        "from tiamat.ctl import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", text, f"--socket={tmp_path / 'none'}", "top"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 1 == done.returncode
    assert "tiamatctl: top needs rich: pip install 'tiamat-server[top]'\n" == (
        done.stderr
    )
