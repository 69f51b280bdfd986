"""The master as a whole: what it says, which hooks it calls, how it ends."""

import signal
from pathlib import Path

from conftest import Serve
from running import wait_until

from tiamat import __version__
from tiamat.config import Config
from tiamat.master.arbiter import Arbiter

HOOKS = """
def note(*words):
    with open("notes", "a") as file:
        print(*words, file=file)

def on_starting(server):
    note("on_starting")

def when_ready(server):
    note("when_ready", len(server.LISTENERS))

def nworkers_changed(server, new, old):
    note("nworkers_changed", new, old)

def pre_fork(server, worker):
    note("pre_fork", worker.slot)

def child_exit(server, worker):
    note("child_exit", worker.slot)

def on_exit(server):
    note("on_exit")
"""


def test_the_first_lines_say_what_a_person_wants_to_know(serve: Serve) -> None:
    """Version, pid, address, application, workers; then who serves."""
    server = serve("apps.pid:app", "--workers=2")
    server.wait_for_log("serves\n", times=2)
    lines = [line.split("[INFO] ")[1] for line in server.log.splitlines()]
    host, port = server.address

    assert lines[0].startswith(f"Tiamat {__version__} on Python ")
    assert lines[0].endswith(f", pid {server.pid}")
    assert [
        f"listening on http://{host}:{port}",
        "serving apps.pid:app with 2 workers",
    ] == lines[1:3]


def test_hooks_of_the_master_come_in_gunicorn_s_order(serve: Serve) -> None:
    """The sockets are bound before when_ready, and that is before any worker."""
    server = serve("apps.pid:app", config=HOOKS)
    server.get()

    assert 0 == server.stop()
    assert [
        "on_starting",
        "when_ready 1",
        "nworkers_changed 1 None",
        "pre_fork 0",
        "child_exit 0",
        "on_exit",
    ] == (server.directory / "notes").read_text().splitlines()


def test_a_hook_that_refuses_the_start_ends_it(serve: Serve) -> None:
    """on_starting comes first, so that it can."""
    server = serve(
        "apps.pid:app",
        config="def on_starting(server):\n    raise SystemExit(7)\n",
    )

    assert 7 == server.wait_for_exit()
    assert [] == server.workers()
    assert "serves" not in server.log


def test_the_last_worker_is_not_removed(tmp_path: Path) -> None:
    """TTOU below one is no server; WINCH is for that."""
    path = tmp_path / "error.log"
    arbiter = Arbiter(Config(workers=1, errorlog=str(path)))
    arbiter.premises.open_log()
    targets = []
    for order in (arbiter.remove_worker, arbiter.add_worker, arbiter.remove_worker):
        order()
        targets.append(arbiter.roster.target)
    arbiter.remove_worker()
    arbiter.stop()

    assert [1, 2, 1] == targets
    assert 1 == arbiter.server.num_workers
    assert 1 == path.read_text().count("TTOU: 1 worker from now on")


def test_there_are_no_more_workers_than_there_is_room_for(tmp_path: Path) -> None:
    """Each has two rows of the scoreboard, one for whoever replaces it."""
    path = tmp_path / "error.log"
    arbiter = Arbiter(Config(workers=1, errorlog=str(path)))
    arbiter.premises.open_log()
    arbiter.roster.target = 128
    arbiter.add_worker()
    arbiter.stop()

    assert 128 == arbiter.roster.target
    assert "TTIN: 128 workers are the most until a re-exec\n" in path.read_text()
    assert 400 == Arbiter(Config(workers=100)).keeper.most


def test_the_pid_file_lives_as_long_as_the_master(serve: Serve, tmp_path: Path) -> None:
    """A second server with the same file does not start, and says why."""
    path = tmp_path / "tiamat.pid"
    server = serve("apps.pid:app", f"--pid={path}")
    server.get()

    assert f"{server.pid}\n" == path.read_text()

    second = serve("apps.pid:app", f"--pid={path}")

    assert 1 == second.wait_for_exit()
    assert f"belongs to a running server, pid {server.pid}" in second.output
    assert f"{server.pid}\n" == path.read_text()

    server.stop()

    assert not path.exists()


def test_a_second_order_to_stop_is_no_other_one(serve: Serve) -> None:
    """TERM and TERM again finish what is here; INT after TERM ends at once."""
    server = serve("apps.slow:app", "--workers=1")
    client = server.begin("/?600")
    server.signal(signal.SIGTERM)
    server.wait_for_log("TERM: finishing what is here")
    server.signal(signal.SIGTERM)
    server.signal(signal.SIGINT)
    server.wait_for_log("INT or QUIT: stopping at once")

    assert 0 == server.wait_for_exit()
    assert 1 == server.log.count("TERM: finishing")

    client.close()


def test_a_process_of_somebody_else_is_reaped_and_no_more(serve: Serve) -> None:
    """A hook may have started it, or we are pid 1 of a container."""
    server = serve(
        "apps.pid:app",
        config="import os\n"
        "def when_ready(server):\n"
        "    if os.fork() == 0:\n"
        "        os._exit(5)\n",
    )
    server.get()
    wait_until(lambda: 1 == len(server.workers()), "only the worker is left")

    assert 200 == server.get().status
