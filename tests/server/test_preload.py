"""preload_app: the application is loaded once, in a mold, and anew by a reload."""

import os
import re
import signal
import socket
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Serve
from running import Load, Server, children, open_files, wait_until

# Both say a word and the pid; whoever imports them leaves its pid in ``loaded``.
LOADED = """
import os
with open("loaded", "a") as file:
    print(os.getpid(), file=file)
WORD = "old"
"""

WSGI = """
import time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/die":
        os._exit(7)
    if environ["PATH_INFO"] == "/slow":
        time.sleep(0.05)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{WORD} {os.getpid()}".encode()]
"""

ASGI = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        with open("lifespans", "a") as file:
            print(os.getpid(), file=file)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/die":
        os._exit(7)
    if scope["path"] == "/slow":
        await asyncio.sleep(0.05)
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    body = f"{WORD} {os.getpid()}".encode()
    await send({"type": "http.response.body", "body": body})
"""

Start = Callable[..., Server]

every_worker = pytest.mark.parametrize(
    "worker",
    [
        "sync",
        "gevent",
        "asgi",
        pytest.param("threads", marks=pytest.mark.soak),
        pytest.param("h11", marks=pytest.mark.soak),
    ],
)


def code(worker: str, word: str = "old") -> str:
    """An application for these workers that says this word."""
    app = ASGI if worker in {"asgi", "h11"} else WSGI
    return LOADED.replace("old", word) + app


def write(server: Server, text: str) -> None:
    """Change the application."""
    (server.directory / "site_app.py").write_text(text)


@pytest.fixture
def start(serve: Serve, tmp_path: Path) -> Start:
    """Start a server that preloads: ``start("sync", "--timeout=2", text="…")``."""

    def begin(
        worker: str = "sync",
        *flags: str,
        text: str = "",
        workers: int = 2,
        **options: str,
    ) -> Server:
        directory = tmp_path / "server-0"
        directory.mkdir()
        (directory / "site_app.py").write_text(text or code(worker))
        words = [f"-k={worker}", "--preload", f"--workers={workers}", *flags]
        return serve("site_app:app", *words, **options)

    return begin


def serving(server: Server, times: int = 2) -> Server:
    """The same server, when so many workers were told to serve."""
    server.wait_for_log(r"worker \d+ gen=\d+ pid=\d+ serves", times=times)
    return server


def molds(server: Server) -> list[int]:
    """The pids of all molds that there ever were."""
    return [int(pid) for pid in re.findall(r"mold gen=\d+ pid=(\d+) loads", server.log)]


def loaders(server: Server) -> list[int]:
    """The pids of who has loaded the application."""
    return [int(line) for line in (server.directory / "loaded").read_text().split()]


def replaced(server: Server) -> None:
    """Wait until both workers are new ones, and the old ones are gone."""
    server.wait_for_log("every worker is of generation 2")
    server.wait_for_log(r"gen=1 pid=\d+ exited", times=2)


def die(server: Server) -> None:
    """A request that its worker does not survive."""
    with pytest.raises(OSError, match=r".*"):
        server.get("/die")


def word(server: Server) -> str:
    """What the application says."""
    return server.get().text.split()[0]


# --- What it is --------------------------------------------------------------------


@every_worker
def test_the_application_is_loaded_once(start: Start, worker: str) -> None:
    """
    By a mold, which the master is not; workers are the master's children.
    """
    server = serving(start(worker, workers=3), 3)
    [mold] = molds(server)
    serve_it = set(children(server.pid)) - {mold}

    assert [mold] == loaders(server)
    assert int(server.get().text.split()[1]) in serve_it
    assert 3 == len(serve_it)
    assert [] == children(mold)


def test_a_lifespan_is_the_worker_s(start: Start) -> None:
    """
    What it starts, a loop's tasks and connections, could not be forked.
    """
    server = serving(start("asgi"))
    pids = {int(line) for line in (server.directory / "lifespans").read_text().split()}

    assert pids == set(children(server.pid)) - set(molds(server))


def test_without_a_class_the_application_decides(serve: Serve, tmp_path: Path) -> None:
    """
    As ever: it is loaded in the mold, and the worker becomes what it needs.
    """
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "site_app.py").write_text(code("asgi"))
    server = serve("site_app:app", "--preload")
    server.wait_for_log("goes on as asgi")

    assert "old" == word(server)
    assert 1 == len(loaders(server))


@every_worker
def test_nobody_holds_what_is_another_s(start: Start, worker: str) -> None:
    """
    No worker has the mold's channel, no mold has a worker's or a listener.
    """
    server = serving(start(worker))
    [mold] = molds(server)
    held = open_files(server.pid)
    assert server.listener is not None
    listener = os.readlink(f"/proc/self/fd/{server.listener.fileno()}")
    of_workers = [open_files(pid) for pid in children(server.pid) if pid != mold]
    of_mold = {file for file in open_files(mold) if file.startswith("socket:")}

    assert listener not in of_mold
    assert 1 == len(of_mold)
    assert not [files for files in of_workers if files & of_mold]
    assert not of_mold & held
    for files in of_workers:
        assert listener in files


@every_worker
def test_recycling_forks_from_the_mold(start: Start, worker: str) -> None:
    """
    max_requests costs no import and loses no request.
    """
    server = serving(start(worker, "--max-requests=20"))
    server.wait_for_log("serves")
    with Load(server.address) as load:
        serving(server, 6)

    assert [] == load.losses
    assert molds(server) == loaders(server)


def test_hooks_run_where_they_are_said_to(start: Start) -> None:
    """
    pre_fork in the mold; what it puts on the worker is there in post_fork.
    """
    config = """
def pre_fork(server, worker):
    import os
    worker.forked_by = os.getpid()

def post_fork(server, worker):
    print("hooks", server.pid, worker.ppid, worker.forked_by, file=open("hooks", "a"))

def child_exit(server, worker):
    import os
    print("child_exit", os.getpid(), worker.pid, file=open("hooks", "a"))
"""
    server = serving(start(workers=1, config=config), 1)
    [mold], [worker] = molds(server), set(children(server.pid)) - set(molds(server))
    server.stop()

    assert [
        f"hooks {server.pid} {server.pid} {mold}",
        f"child_exit {server.pid} {worker}",
    ] == (server.directory / "hooks").read_text().splitlines()


def test_threads_of_the_application_are_warned_of(start: Start) -> None:
    """
    One line names them: they do not go on in workers.
    """
    text = """
    import threading, time
    thread = threading.Thread(target=time.sleep, args=(1000,), name="refresher")
    thread.daemon = True
    thread.start()
    """
    server = serving(start(text=code("sync") + textwrap.dedent(text)))

    assert 1 == server.log.count("do not go on in workers: refresher\n")


# --- Reload --------------------------------------------------------------------------


@every_worker
def test_a_reload_loads_changed_code(start: Start, worker: str) -> None:
    """
    In a new mold; the old one ends when the reload has proved good.
    """
    server = serving(start(worker, config="reload_watch = 0.2\n"))
    with Load(server.address) as load:
        write(server, code(worker, "new"))
        server.signal(signal.SIGHUP)
        server.wait_for_log("reload: committed")
        old, new = molds(server)
        wait_until(lambda: old not in children(server.pid), "the old mold is gone")

    assert [] == load.losses
    assert "new" == word(server)
    assert new in children(server.pid)
    assert [old, new] == loaders(server)


@every_worker
def test_broken_code_leaves_all_as_it_was(start: Start, worker: str) -> None:
    """
    The new mold's traceback is in the log; the old one and its workers go on.
    """
    server = serving(start(worker))
    server.expect("Traceback")
    before = children(server.pid)
    with Load(server.address) as load:
        write(server, "1 / 0\n")
        server.signal(signal.SIGHUP)
        server.wait_for_log("reload refused, going on as before: boot failed")
        load.wait_for_requests()

    assert [] == load.losses
    assert before == children(server.pid)
    assert re.search(r"mold gen=2 pid=\d+ can't boot: .*ZeroDivisionError", server.log)


@every_worker
def test_a_roll_back_brings_the_old_code_back(start: Start, worker: str) -> None:
    """
    It is in the old mold's memory, though the file is broken by now.
    """
    server = serving(start(worker, "--reload-watch=60"))
    write(server, code(worker, "new"))
    server.signal(signal.SIGHUP)
    replaced(server)
    write(server, "1 / 0\n")
    die(server)
    server.wait_for_log("reload: rolled back to generation 1")
    server.wait_for_log(r"gen=1 pid=\d+ serves", times=4)
    old, new = molds(server)
    wait_until(lambda: len(children(server.pid)) == 3, "mold and workers are left")

    assert "old" == word(server)
    assert old in children(server.pid)
    assert [old, new] == loaders(server)


def test_an_address_that_the_reload_gave_up_is_served_again(
    start: Start, tmp_path: Path
) -> None:
    """
    The old mold forks workers for an address that was bound behind its back.
    """
    path = tmp_path / "old"
    config = "reload_watch = 60\nbind = ['127.0.0.1:0'{}]\n"
    server = start(bind="none", config=config.format(f", 'unix:{path}'"))
    serving(server)
    server.config_path.write_text(config.format(""))
    server.signal(signal.SIGHUP)
    replaced(server)
    assert not path.exists()
    die(server)
    server.wait_for_log("rolled back to generation 1")
    server.wait_for_log("gen=1 pid=.* serves", times=4)
    wait_until(lambda: len(children(server.pid)) == 3, "mold and workers are left")
    inode = socket.socket(socket.AF_UNIX)
    inode.connect(str(path))
    inode.sendall(b"GET / HTTP/1.0\r\n\r\n")
    answer = inode.recv(4096)
    inode.close()

    assert answer.startswith(b"HTTP/1.1 200 ")


def test_preload_can_be_switched_off_and_on_by_a_reload(
    serve: Serve, tmp_path: Path
) -> None:
    """
    With the mold it goes and comes; without it every worker loads for itself.
    """
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "site_app.py").write_text(code("sync"))
    config = "reload_watch = 0.1\npreload_app = {}\n"
    server = serve("site_app:app", config=config.format(True))
    serving(server, 1)
    for count, preload in enumerate((False, True), 1):
        server.config_path.write_text(config.format(preload))
        server.signal(signal.SIGHUP)
        server.wait_for_log("reload: committed", times=count)
    first, second = molds(server)
    wait_until(lambda: len(children(server.pid)) == 2, "mold and worker are left")

    assert loaders(server)[0] == first
    assert loaders(server)[2] == second
    assert loaders(server)[1] not in {first, second}


def test_under_reload_every_worker_loads_for_itself(start: Start) -> None:
    """
    Who develops sees why the application can't be loaded.
    """
    server = start(text="1 / 0\n", config="reload = True\n", workers=1)
    server.expect("Traceback")

    assert "ZeroDivisionError" in server.get().text
    assert [] == molds(server)


# --- Deaths --------------------------------------------------------------------------


@every_worker
def test_the_death_of_the_mold_costs_nothing(start: Start, worker: str) -> None:
    """
    The log says so, workers go on, and the next ones come from a new mold.
    """
    server = serving(start(worker))
    server.expect("killed by SIGKILL, not by us")
    [mold] = molds(server)
    with Load(server.address, "/slow", clients=8) as load:
        os.kill(mold, signal.SIGKILL)
        server.wait_for_log(f"mold gen=1 pid={mold} killed by SIGKILL, not by us")
        server.wait_for_log("has loaded the application", times=2)
        server.signal(signal.SIGTTIN)
        serving(server, 3)
        load.wait_for_requests()

    assert [] == load.losses
    assert molds(server)[1] in children(server.pid)


def test_spawning_waits_for_the_new_mold(start: Start) -> None:
    """
    A worker that dies together with the mold is replaced when there is another one.
    """
    server = serving(start())
    server.expect("killed by SIGKILL, not by us")
    for pid in children(server.pid):
        os.kill(pid, signal.SIGKILL)
    serving(server, 4)

    assert "old" == word(server)
    assert 2 == len(molds(server))


def test_molds_that_are_lost_again_and_again_get_a_pause(start: Start) -> None:
    """
    As workers do.
    """
    server = serving(start())
    server.expect("killed by SIGKILL, not by us")
    for count in (1, 2):
        server.wait_for_log("has loaded the application", times=count)
        os.kill(molds(server)[-1], signal.SIGKILL)
    server.wait_for_log("2 molds in a row were lost; the next one comes in 0.5 s")
    server.wait_for_log("has loaded the application", times=3)

    assert "old" == word(server)


def test_a_mold_that_does_not_fork_is_replaced(start: Start) -> None:
    """
    The master does not wait for ever for one that stands still.
    """
    server = serving(start())
    server.expect("SIGKILL")
    [mold] = molds(server)
    os.kill(mold, signal.SIGSTOP)
    server.signal(signal.SIGTTIN)
    server.wait_for_log(f"can't fork worker 2: mold gen=1 pid={mold} did not fork in 5")
    serving(server, 3)

    assert 2 == len(molds(server))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_ends_the_mold_too(start: Start, number: signal.Signals) -> None:
    """
    No process is left; the fixture looks.
    """
    server = serving(start())
    server.signal(number)

    assert 0 == server.wait_for_exit()


def test_a_stop_does_not_wait_for_a_mold_that_loads(start: Start) -> None:
    """
    TERM during a hanging import ends all.
    """
    server = start(text="import time\nopen('begun', 'w').close()\ntime.sleep(1000)\n")
    wait_until((server.directory / "begun").exists, "the import has begun")
    server.signal(signal.SIGTERM)

    assert 0 == server.wait_for_exit()


@pytest.mark.parametrize("text", ["", "import time\ntime.sleep(1000)\n"])
def test_the_mold_ends_with_the_master(start: Start, text: str) -> None:
    """
    Also in the middle of an import.
    """
    server = start(text=code("sync") + text)
    wait_until((server.directory / "loaded").exists, "the import has begun")
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()
    server.wait_until_all_are_gone()


def test_orphans_are_adopted_in_silence(start: Start) -> None:
    """
    What a worker has left behind is reaped by the master, and is nobody's failure.
    """
    config = """
def worker_exit(server, worker):
    import os
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(3)
        os._exit(3)
"""
    server = serving(start(config=config))
    server.signal(signal.SIGTTOU)
    server.wait_for_log(r"worker 1 gen=1 pid=\d+ exited\n")
    wait_until(lambda: not zombies(server), "all are reaped")

    assert "status 3" not in server.log
    assert "old" == word(server)


def zombies(server: Server) -> list[str]:
    """The children of the master that ended and were not reaped."""
    listed = subprocess.run(
        ["ps", "-o", "stat=,pid=", "--ppid", str(server.pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in listed.stdout.splitlines() if line.startswith("Z")]


# --- Boot ----------------------------------------------------------------------------


@every_worker
@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("1 / 0\n", 3, "can't boot: .*ZeroDivisionError"),
        ("other = 1\n", 4, "can't boot: .*has no attribute 'app'"),
        ("import sys\nsys.exit(9)\n", 3, r"can't boot: .*sys\.exit\(9\)"),
    ],
)
def test_an_application_that_can_not_be_loaded_ends_the_start(
    start: Start, worker: str, text: str, status: int, said: str
) -> None:
    """
    With the line and the exit status that it has without preload_app.
    """
    server = start(worker, text=text)
    server.expect("Traceback")

    assert status == server.wait_for_exit()
    assert re.search(rf"mold gen=1 pid=\d+ {said}", server.log)
    assert f"no worker can boot; exit status {status}" in server.log


def test_a_crash_in_c_ends_the_start_after_some_attempts(start: Start) -> None:
    """
    And its stack is in the log.
    """
    crash = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"
    server = start(text=crash)

    assert 3 == server.wait_for_exit()
    assert 3 == server.log.count("killed by SIGSEGV")
    assert "Segmentation fault" in server.log


def test_a_load_that_hangs_is_ended_with_its_stack(start: Start) -> None:
    """
    boot_timeout is for molds too; a reload ends there.
    """
    server = serving(start())
    server.expect("SIGKILL")
    before = children(server.pid)
    write(server, "import time\ntime.sleep(1000)  # here\n")
    server.config_path.write_text("boot_timeout = 1\n")
    server.signal(signal.SIGHUP)
    server.wait_for_log(r"mold gen=2 pid=\d+ did not boot in .* \(boot_timeout=1\)")
    server.wait_for_log("reload refused, going on as before: boot failed")
    wait_until(lambda: before == children(server.pid), "the new mold is gone")

    assert (
        "time.sleep(1000)  # here" in server.log or "line 2 in <module>" in server.log
    )


# --- What else there is to keep in mind ---------------------------------------------


def test_logs_are_reopened_by_the_mold(start: Start) -> None:
    """
    A worker that comes after USR1 writes to the new file.
    """
    server = serving(start("sync", "--access-logfile=access.log"))
    access = server.directory / "access.log"
    access.rename(server.directory / "access.log.1")
    server.signal(signal.SIGUSR1)
    server.wait_for_log("logs reopened")
    for pid in set(children(server.pid)) - set(molds(server)):
        os.kill(pid, signal.SIGTERM)
    serving(server, 4)
    server.get()
    wait_until(lambda: access.exists() and access.read_text(), "a line is in the log")

    assert "GET / HTTP/1.1" in access.read_text()


def test_more_listeners_than_fit_into_a_message(start: Start, tmp_path: Path) -> None:
    """
    Descriptors go to the mold sixteen at a time.
    """
    binds = [f"unix:{tmp_path}/{number}" for number in range(40)]
    serving(start(bind="none", config=f"bind = {binds}\n"))
    answers = set()
    for bind in binds:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(bind.removeprefix("unix:"))
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answers.add(sock.recv(4096).partition(b"\r\n")[0])

    assert {b"HTTP/1.1 200 OK"} == answers


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may serve as somebody else")
def test_the_mold_has_the_master_s_rights_and_workers_their_user_s(
    start: Start, tmp_path: Path
) -> None:
    """
    As gunicorn's preload_app: what only root may read can be read while loading.
    """
    uid = 65534
    text = (
        code("sync")
        .replace("{WORD}", "{WORD}-{os.getuid()}")
        .replace('WORD = "old"', 'WORD = f"{os.getuid()}"')
    )
    server = serving(start("sync", f"--user={uid}", f"--group={uid}", text=text))

    assert f"0-{uid}" == word(server)


def test_elsewhere_the_master_loads_and_says_so(start: Start) -> None:
    """
    Where nobody can adopt a mold's workers.
    """
    config = "import tiamat.master.mold as _mold\n_mold.POSSIBLE = False\n"
    server = serving(start(config=config))
    server.signal(signal.SIGHUP)
    server.wait_for_log("every worker is of generation 2")

    assert [server.pid] == loaders(server)
    assert "preload_app: the master loads the application itself" in server.log


def test_elsewhere_what_can_not_be_loaded_ends_the_start(start: Start) -> None:
    """
    With the same exit status.
    """
    config = "import tiamat.master.mold as _mold\n_mold.POSSIBLE = False\n"
    server = start(config=config, text="other = 1\n")

    assert 4 == server.wait_for_exit()
