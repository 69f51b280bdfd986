"""
What befalls a server from outside, whichever worker class it has.

Each fault is a function that brings it about and waits until the server has said so.
``test_trouble`` looks at what became of the server.
"""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asking import ctl
from masters import named_in, usr2
from running import Load, Server, get, wait_until

WORKERS = 2

SETTINGS = f"""
workers = {WORKERS}
timeout = 30
reload_watch = 0
reexec_mode = "auto"
"""

KILLED = "killed by SIGKILL, not by us"


@dataclass
class Ground:
    """
    A server under load, and what may be done to it.

    Attributes:
        server: it.
        code: the text of its application.
        pidfile, control: where its master is named, and is asked.
        load: the clients.
    """

    server: Server
    code: str
    pidfile: Path
    control: Path
    load: Load

    @property
    def master(self) -> int:
        """The pid of the master that serves."""
        return named_in(self.pidfile)

    def worker(self) -> int:
        """The pid of some worker."""
        return self.server.workers()[0]

    def write(self, text: str) -> None:
        """Change the application; what is left of it follows *text*."""
        (self.server.directory / "site_of_test.py").write_text(f"{text}\n{self.code}")

    def configure(self, text: str) -> None:
        """Change the settings."""
        self.server.config_path.write_text(f"{SETTINGS}\n{text}\n")

    def hang_up(self) -> None:
        """HUP."""
        os.kill(self.master, signal.SIGHUP)

    def ask(self, *words: str) -> None:
        """A command that is done."""
        done = ctl(f"--socket={self.control}", *words)

        assert 0 == done.returncode, done.stderr

    def request(self, path: str) -> None:
        """A request that nobody need answer."""
        with contextlib.suppress(OSError):
            get(self.server.address, path)


# --- Workers -------------------------------------------------------------------------


def kill_a_worker(ground: Ground) -> None:
    """Busy or idle."""
    os.kill(ground.worker(), signal.SIGKILL)


def kill_a_worker_in_a_request(ground: Ground) -> None:
    """The one that a client waits for."""
    client = ground.server.begin("/?600")
    for pid in ground.server.workers():
        os.kill(pid, signal.SIGKILL)
    ground.server.wait_for_log(KILLED, WORKERS)
    client.close()


def kill_a_worker_that_imports(ground: Ground) -> None:
    """The replacement of another one."""
    ground.write(
        "import os, time\n"
        "with open(f'importing-{os.getpid()}', 'w'): pass\n"
        "while not os.path.exists('go'): time.sleep(0.02)"
    )
    os.kill(ground.worker(), signal.SIGKILL)

    def importing() -> list[Path]:
        return list(ground.server.directory.glob("importing-*"))

    wait_until(importing, "a worker imports")
    os.kill(int(importing()[0].name.partition("-")[2]), signal.SIGKILL)
    ground.server.wait_for_log(KILLED, 2)
    (ground.server.directory / "go").touch()


def kill_a_worker_that_drains(ground: Ground) -> None:
    """It finishes a request after a reload."""
    client = ground.server.begin("/?600")
    old = ground.server.workers()
    ground.configure("max_surge = 2")  # else the second waits for the first
    ground.hang_up()
    ground.server.wait_for_log("retires: reload", WORKERS)
    for pid in old:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    client.close()


def stop_a_worker(ground: Ground) -> None:
    """It hears nothing, and does nothing, for longer than ``timeout``."""
    old = ground.server.workers()
    ground.configure("timeout = 2")
    ground.ask("reload", "--wait")
    wait_until(lambda: not {*old} & {*ground.server.workers()}, "they have gone")
    os.kill(ground.worker(), signal.SIGSTOP)
    ground.server.wait_for_log("killed by SIGKILL: silent for")


def exit_in_a_request(ground: Ground) -> None:
    """Of the application."""
    assert 500 == get(ground.load.address, "/exit").status


def fork_in_a_request(ground: Ground) -> None:
    """Of the application; what it forks does not keep the address."""
    assert 200 == get(ground.load.address, "/fork").status


def crash_in_a_request(ground: Ground) -> None:
    """Of C code."""
    ground.request("/crash")


def crash_for_ever(ground: Ground) -> None:
    """Every new worker dies as soon as it imports."""
    ground.write("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    os.kill(ground.worker(), signal.SIGTERM)
    ground.server.wait_for_log("lost 3 workers in a row; the next one comes in 1 s")
    ground.write("")


# --- Signals -------------------------------------------------------------------------


def hang_up_200_times(ground: Ground) -> None:
    """Within a second or so."""
    for _ in range(200):
        ground.hang_up()
        time.sleep(0.005)  # the moment is what is tried, not waited for
    ground.ask("reload", "--wait")


def more_and_fewer_500_times(ground: Ground) -> None:
    """Signals of one kind may become one; what is said after them holds."""
    dice = random.Random(5)
    for _ in range(500):
        ground.server.signal(dice.choice((signal.SIGTTIN, signal.SIGTTOU)))
    for count in (4, WORKERS):
        ground.ask("scale", str(count))
        wait_until(lambda count=count: len(ground.server.workers()) == count, "so many")  # type: ignore[misc]


def rotate_logs(ground: Ground) -> None:
    """By another name."""
    path = ground.server.log_path
    path.rename(path.with_suffix(".1"))
    ground.server.signal(signal.SIGUSR1)
    ground.server.wait_for_log("USR1: logs reopened")


def truncate_logs(ground: Ground) -> None:
    """As copytruncate: nobody is told."""
    os.truncate(ground.server.log_path, 0)
    ground.server.signal(signal.SIGUSR1)
    ground.server.wait_for_log("USR1: logs reopened")

    assert "\0" not in ground.server.log


# --- Reloads -------------------------------------------------------------------------


def reload_settings(text: str) -> Callable[[Ground], None]:
    """A reload with broken settings."""

    def do(ground: Ground) -> None:
        ground.configure(text)
        ground.hang_up()
        ground.server.wait_for_log("reload refused, going on as before: config error")

    return do


def reload_code(text: str, settings: str = "") -> Callable[[Ground], None]:
    """A reload with broken code."""

    def do(ground: Ground) -> None:
        ground.write(text)
        ground.configure(settings)
        ground.hang_up()
        ground.server.wait_for_log("reload refused, going on as before: ")
        ground.write("")

    return do


def crash_in_half_of_the_roll(ground: Ground) -> None:
    """The first worker of the new generation lives, and no other."""
    ground.configure(
        "def post_worker_init(worker):\n"
        "    import os\n"
        "    if os.path.exists('second'): os._exit(7)\n"
        "    open('second', 'w').close()\n"
    )
    ground.hang_up()
    ground.server.wait_for_log("reload: rolled back to generation 1")


# --- Other processes -----------------------------------------------------------------


def kill_the_mold(ground: Ground) -> None:
    """Workers and requests go on; another one loads the application."""
    pid = int(ground.server.wait_for_log(r"mold gen=1 pid=(\d+) loads")[1])
    ground.server.wait_for_log("mold .*has loaded")
    os.kill(pid, signal.SIGKILL)
    ground.server.wait_for_log("mold .*has loaded", 2)


def kill_the_successor_that_boots(ground: Ground) -> None:
    """A new master, before it serves."""
    ground.write("import time, os\nwhile not os.path.exists('go'): time.sleep(0.02)")
    os.kill(usr2(ground.server), signal.SIGKILL)
    ground.server.wait_for_log("the new master killed by SIGKILL")
    ground.write("")


def kill_the_successor_that_serves(ground: Ground) -> None:
    """A new master, which the old one watches."""
    new = usr2(ground.server)
    ground.server.wait_for_log("this one retires, and watches it")
    wait_until(lambda: ground.master == new, "it has the names")
    os.kill(new, signal.SIGKILL)
    ground.server.wait_for_log("this one comes back")
    wait_until(lambda: ground.master == ground.server.pid, "the old one has the names")


@dataclass(frozen=True)
class Fault:
    """
    One of the things that may happen.

    Attributes:
        do: brings it about.
        cause: what one line of the log says of it.
        harmless: whether no request may be lost by it.
        flags: what the server is started with.
        expects: strange words that the log may have.
    """

    do: Callable[[Ground], None]
    cause: str
    harmless: bool = True
    flags: tuple[str, ...] = ()
    expects: tuple[str, ...] = ()


def lost(do: Callable[[Ground], None], cause: str) -> Fault:
    """A fault that costs the requests of a worker."""
    return Fault(do, cause, harmless=False, expects=("SIGKILL",))


DECLINED = "reload refused, going on as before: "
HALF = "reload: rolled back to generation 1, since worker . gen=2"

FAULTS: dict[str, Fault] = {
    "kill": lost(kill_a_worker, KILLED),
    "kill in a request": lost(
        kill_a_worker_in_a_request, f"{KILLED}.*in the application: GET /"
    ),
    "kill in an import": lost(kill_a_worker_that_imports, KILLED),
    "kill in a drain": lost(kill_a_worker_that_drains, KILLED),
    "stop": lost(stop_a_worker, "silent for .*killing"),
    "exit": Fault(
        exit_in_a_request, "error handling GET /exit", expects=("Traceback",)
    ),
    "fork": Fault(fork_in_a_request, "serves"),
    "crash": Fault(crash_in_a_request, "killed by SIGSEGV", harmless=False),
    "crash for ever": Fault(crash_for_ever, "killed by SIGSEGV"),
    "200 HUPs": Fault(hang_up_200_times, "HUP: reloading"),
    "500 TTIN and TTOU": Fault(more_and_fewer_500_times, "control socket: scale 4"),
    "rotated logs": Fault(rotate_logs, "USR1: logs reopened"),
    "truncated logs": Fault(truncate_logs, "USR1: logs reopened"),
    "broken settings": Fault(reload_settings("f(:"), f"{DECLINED}.*invalid syntax"),
    "settings that exit": Fault(
        reload_settings("import sys; sys.exit()"), rf"{DECLINED}.*sys.exit\("
    ),
    "endless settings": Fault(
        reload_settings("while True: pass"),
        f"{DECLINED}.*",
        expects=("SIGKILL",),
    ),
    "broken code": Fault(
        reload_code("import no_such_module"),
        f"{DECLINED}boot failed",
        expects=("Traceback",),
    ),
    "endless import": Fault(
        reload_code("import time\ntime.sleep(600)", "boot_timeout = 2"),
        f"{DECLINED}boot failed",
        expects=("SIGKILL",),
    ),
    "failing check": Fault(
        reload_code("", "def check_worker(worker): return False"),
        f"{DECLINED}check failed",
    ),
    "hanging check": Fault(
        reload_code(
            "",
            "reload_check_timeout = 1\n"
            "def check_worker(worker): __import__('time').sleep(600)",
        ),
        f"{DECLINED}check failed",
        expects=("SIGKILL",),
    ),
    "crash in half of the roll": Fault(crash_in_half_of_the_roll, HALF),
    "kill the mold": Fault(
        kill_the_mold,
        "mold .*killed by SIGKILL",
        flags=("--preload",),
        expects=("SIGKILL",),
    ),
    "kill the successor that boots": Fault(
        kill_the_successor_that_boots,
        "the new master killed by SIGKILL",
        expects=("SIGKILL",),
    ),
    "kill the successor that serves": Fault(
        kill_the_successor_that_serves,
        "this one comes back",
        harmless=False,
        flags=("--reload-watch=600",),
        expects=("SIGKILL",),
    ),
}

HERE = {
    "exit": "asgi",
    "fork": "threads",
    "crash": "h11",
    "500 TTIN and TTOU": "sync",
    "hanging check": "asgi",
}
"""What ``scripts/test`` tries, with which class; it has other tests of the others."""
