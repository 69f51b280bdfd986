"""How a server starts: addresses, pid file, background, users, hooks."""

import os
import pwd
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Serve
from running import LIMIT, Server, children, environment, get, open_files, wait_until


def test_the_first_lines_say_who_and_where(serve: Serve) -> None:
    """
    Version, address, application, number and class of the workers.
    """
    server = serve("apps.pid:app", "--workers=2", bind="127.0.0.1:0")
    server.wait_for_log(r"\[INFO\] Tiamat \S+ on Python \S+, pid \d+\n")
    server.wait_for_log(r"\[INFO\] listening on http://127.0.0.1:\d+\n")
    server.wait_for_log(r"\[INFO\] serving apps.pid:app with 2 workers\n")

    assert 200 == server.get().status


def test_an_address_in_use_is_named_with_its_holder(serve: Serve) -> None:
    """
    When the address does not become free, the command fails with 1 and says who.
    """
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = serve("apps.pid:app", "--graceful-timeout=1", bind=f"127.0.0.1:{port}")

        assert 1 == server.wait_for_exit()
    assert f"in use by process {os.getpid()}" in server.output


def test_an_address_that_becomes_free_is_taken(serve: Serve) -> None:
    """
    A new start waits for an address that somebody still holds.
    """
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = serve("apps.pid:app", bind=f"127.0.0.1:{port}")
        server.wait_for_log("trying for")

    assert 200 == server.get().status


def test_waiting_for_an_address_ends_with_a_signal(serve: Serve) -> None:
    """
    TERM ends a start that waits for its address.
    """
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = serve("apps.pid:app", bind=f"127.0.0.1:{port}")
        server.wait_for_log("trying for")
        server.signal(signal.SIGTERM)

        assert 1 == server.wait_for_exit()


def test_a_unix_socket_is_removed_at_the_end(serve: Serve, tmp_path: Path) -> None:
    """
    The file of a Unix socket is there while the server is.
    """
    path = tmp_path / "s"
    server = serve("apps.pid:app", bind=f"unix:{path}")
    server.wait_for_log("serves")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = client.recv(1000)
    server.stop()

    assert answer.startswith(b"HTTP/1.")
    assert not path.exists()


AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "tiamat", "apps.pid:app"])
"""


def test_a_socket_of_systemd_is_served(tmp_path: Path) -> None:
    """
    A listener that systemd passes on is used, and the setting bind is not.
    """
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as stderr:
        address = listener.getsockname()
        process = subprocess.Popen(
            [sys.executable, "-c", AS_SYSTEMD, str(listener.fileno())],
            pass_fds=[listener.fileno()],
            env=environment(tmp_path) | {"LISTEN_FDS": "1"},
            cwd=tmp_path,
            stderr=stderr,
        )
        status = get(address).status
        process.send_signal(signal.SIGTERM)
        process.wait(LIMIT)

    assert 200 == status
    assert f"http://127.0.0.1:{address[1]}" in log.read_text()


# --- The pid file -----------------------------------------------------------------


def test_the_pid_file_names_the_master(serve: Serve, tmp_path: Path) -> None:
    """
    The file is there while the server is, and names it.
    """
    path = tmp_path / "pid"
    server = serve("apps.pid:app", f"--pid={path}")
    server.get()
    text = path.read_text()
    server.stop()

    assert f"{server.pid}\n" == text
    assert not path.exists()


def test_a_second_server_with_the_same_pid_file_is_refused(
    serve: Serve, tmp_path: Path
) -> None:
    """
    The lock on the pid file keeps a second server away, with status 1.
    """
    path = tmp_path / "pid"
    first = serve("apps.pid:app", f"--pid={path}")
    first.get()
    second = serve("apps.pid:app", f"--pid={path}")

    assert 1 == second.wait_for_exit()
    assert f"pid {first.pid}" in second.output


def test_a_pid_file_left_behind_is_no_obstacle(serve: Serve, tmp_path: Path) -> None:
    """
    A file without a lock is nobody's, whoever has that number now.
    """
    path = tmp_path / "pid"
    path.write_text("1\n")
    server = serve("apps.pid:app", f"--pid={path}")

    assert 200 == server.get().status
    assert f"{server.pid}\n" == path.read_text()


# --- In the background --------------------------------------------------------------


def daemon_pid(path: Path) -> int:
    """The pid in a pid file that is being written."""
    wait_until(path.exists, "the pid file is there")
    return int(path.read_text())


def test_the_command_of_a_daemon_ends_when_it_serves(
    serve: Serve, tmp_path: Path
) -> None:
    """
    With --daemon the command ends with 0 when the first worker is ready.
    """
    path = tmp_path / "pid"
    server = serve("apps.pid:app", "--daemon", f"--pid={path}")

    assert 0 == server.process.wait(LIMIT)
    assert "serves" in server.log or "ready" in server.log or path.exists()
    assert 200 == server.get().status
    os.kill(daemon_pid(path), signal.SIGTERM)
    server.wait_until_all_are_gone()


def test_the_command_of_a_daemon_fails_when_it_fails(serve: Serve) -> None:
    """
    With --daemon the command has the exit status of the server that can't start.
    """
    server = serve("apps.pid:no_such_app", "--daemon")

    assert 4 == server.process.wait(LIMIT)
    server.wait_until_all_are_gone()


def test_a_daemon_says_why_it_does_not_start(serve: Serve, tmp_path: Path) -> None:
    """
    A busy port, a pid file of somebody else: on the terminal and in the log, with 1.
    """
    path = tmp_path / "pid"
    first = serve("apps.pid:app", f"--pid={path}", bind="127.0.0.1:0")
    first.get()
    busy = f"127.0.0.1:{first.address[1]}"
    flags = ["--daemon", "--graceful-timeout=0.1"]
    for second, reason in (
        (serve("apps.pid:app", *flags, f"--pid={path}"), f"pid {first.pid}"),
        (serve("apps.pid:app", *flags, bind=busy), f"in use by processes {first.pid}"),
    ):
        assert 1 == second.process.wait(LIMIT)
        assert second.output.startswith("tiamat: error: ")
        assert reason in second.output
        assert 1 == second.output.count("\n")
        assert reason in second.log.splitlines()[-1]
        second.wait_until_all_are_gone()


def test_the_terminal_hears_why_no_worker_can_boot(
    serve: Serve, tmp_path: Path
) -> None:
    """
    Though the traceback is in a log file, who gave the command sees the reason.
    """
    (tmp_path / "server-0").mkdir()
    (tmp_path / "server-0" / "site_app.py").write_text("1 / 0\n")
    server = serve("site_app:app", "--daemon")
    server.expect("Traceback")

    assert 3 == server.process.wait(LIMIT)
    assert "tiamat: error: 'site_app' failed" in server.output
    assert "ZeroDivisionError" in server.output
    assert 1 == server.output.count("\n")
    server.wait_until_all_are_gone()


@pytest.mark.parametrize("log", ["-", "log"])
def test_a_daemon_lets_go_of_its_terminal(
    serve: Serve, tmp_path: Path, log: str
) -> None:
    """
    Once it serves, no process of it holds the terminal, whatever the log is.
    """
    path = tmp_path / "pid"
    flags = ["--daemon", "--workers=2", f"--pid={path}", f"--error-logfile={log}"]
    server = serve("apps.pid:app", *flags)

    assert 0 == server.process.wait(LIMIT)
    master = daemon_pid(path)
    terminal = str(server.directory / "output")
    wait_until(
        lambda: (
            len(children(master)) == 2
            and not any(
                terminal in open_files(pid) for pid in (master, *children(master))
            )
        ),
        "all have let go of the terminal",
    )
    os.kill(master, signal.SIGTERM)
    server.wait_until_all_are_gone()


def test_a_daemon_may_keep_its_output(serve: Serve, tmp_path: Path) -> None:
    """
    With -R it goes on to write where the command was told to.
    """
    path = tmp_path / "pid"
    server = serve(
        "apps.pid:app", "--daemon", "-R", f"--pid={path}", "--error-logfile=-"
    )

    assert 0 == server.process.wait(LIMIT)
    master = daemon_pid(path)
    os.kill(master, signal.SIGHUP)
    wait_until(lambda: "HUP: reloading" in server.output, "it is still heard")
    os.kill(master, signal.SIGTERM)
    server.wait_until_all_are_gone()


def test_a_daemon_captures_what_is_printed(serve: Serve, tmp_path: Path) -> None:
    """
    With capture_output its log goes on to get what workers print.
    """
    path = tmp_path / "pid"
    config = "def post_worker_init(worker): print('worker', worker.age, 'is here')\n"
    flags = ["--daemon", "--capture-output", f"--pid={path}"]
    server = serve("apps.pid:app", *flags, config=config)

    assert 0 == server.process.wait(LIMIT)
    os.kill(daemon_pid(path), signal.SIGTTIN)
    server.wait_for_log("worker 1 .* serves")
    os.kill(daemon_pid(path), signal.SIGTERM)
    server.wait_until_all_are_gone()

    assert "worker 2 is here" in server.log


# --- Users ----------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")
def test_workers_run_as_the_user_of_the_settings(serve: Serve, tmp_path: Path) -> None:
    """
    The master stays root; workers have the user, its group and no other group.
    """
    nobody = pwd.getpwnam("nobody")
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(0o755)
    server = serve("apps.pid:app", "--user=nobody")
    server.wait_for_log("serves")
    text = Path(f"/proc/{server.workers()[0]}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)

    assert 4 * [str(nobody.pw_uid)] == fields["Uid"].split()
    assert 4 * [str(nobody.pw_gid)] == fields["Gid"].split()
    assert [] == fields["Groups"].split()


# --- Hooks --------------------------------------------------------------------

HOOKS = """
def note(name):
    def hook(*arguments):
        with open("hooks", "a") as file:
            file.write(f"{name}\\n")
    return hook

def on_starting(server): note("on_starting")()
def when_ready(server): note("when_ready")()
def nworkers_changed(server, new, old): note(f"nworkers_changed {new} {old}")()
def pre_fork(server, worker): note("pre_fork")()
def post_fork(server, worker): note("post_fork")()
def post_worker_init(worker): note("post_worker_init")()
def worker_exit(server, worker): note("worker_exit")()
def child_exit(server, worker): note("child_exit")()
def on_reload(server): note("on_reload")()
def on_exit(server): note("on_exit")()
"""


def hooks_of(server: Server) -> list[str]:
    """The names of the hooks that were called, in order."""
    return (server.directory / "hooks").read_text().splitlines()


def test_hooks_are_called_in_gunicorns_order(serve: Serve) -> None:
    """
    Each hook at its moment in the life of the server and of a worker.
    """
    server = serve("apps.pid:app", config=HOOKS)
    server.get()
    server.stop()
    expected = [
        *("nworkers_changed 1 None", "on_starting", "when_ready"),
        *("pre_fork", "post_fork", "post_worker_init"),
        *("worker_exit", "child_exit", "on_exit"),
    ]

    assert expected == hooks_of(server)


def test_on_reload_is_called_when_the_new_settings_stand(serve: Serve) -> None:
    """
    HUP calls on_reload, between the new worker's boot and the old one's end.
    """
    server = serve("apps.pid:app", config=HOOKS)
    server.get()
    server.signal(signal.SIGHUP)
    server.wait_for_log(r"gen=1 pid=\d+ exited")
    hooks = hooks_of(server)

    assert 1 == hooks.count("on_reload")
    assert hooks.index("on_reload") < hooks.index("worker_exit")


def test_what_pre_fork_puts_on_a_worker_is_there_later(serve: Serve) -> None:
    """
    Hooks see one object: attributes set before the fork are read in the worker.
    """
    config = """
def pre_fork(server, worker): worker.colour = "green"
def post_worker_init(worker): worker.log.info("colour %s", worker.colour)
"""
    server = serve("apps.pid:app", config=config)
    server.get()

    assert "colour green" in server.log


def test_a_hook_that_fails_is_logged_and_no_more(serve: Serve) -> None:
    """
    An exception in a hook of the master never ends the server.
    """
    config = "def when_ready(server): raise RuntimeError('broken hook')\n"
    server = serve("apps.pid:app", config=config)
    server.expect("Traceback")

    assert 200 == server.get().status
    assert "broken hook" in server.log


def test_on_starting_may_end_the_start(serve: Serve) -> None:
    """
    An exception in on_starting is a line on the terminal, and a traceback in the log.
    """
    config = "def on_starting(server):\n    raise RuntimeError('not today')\n"
    server = serve("apps.pid:app", config=config)
    server.expect("Traceback")
    reason = (
        "the hook on_starting failed: RuntimeError: not today"
        f" ({server.config_path}, line 2)\n"
    )
    trace = f'Traceback (most recent call last):\n  File "{server.config_path}", line 2'

    assert 3 == server.wait_for_exit()
    assert f"tiamat: error: {reason}" == server.output
    assert f"[ERROR] {reason}{trace}" in server.log


@pytest.mark.parametrize(
    "hook", ["post_fork(server, worker)", "post_worker_init(worker)"]
)
def test_a_worker_says_which_hook_ends_its_start(serve: Serve, hook: str) -> None:
    """
    Without it there is no worker: the start ends with 3, and the log says which.
    """
    config = f"def {hook}:\n    raise RuntimeError('not today')\n"
    server = serve("apps.pid:app", config=config)
    server.expect("Traceback")
    name = hook.partition("(")[0]

    assert 3 == server.wait_for_exit()
    assert (
        f"can't boot: the hook {name} failed: RuntimeError: not today"
        f" ({server.config_path}, line 2)\n"
        "Traceback (most recent call last):\n"
        f'  File "{server.config_path}", line 2, in {name}\n'
    ) in server.log
    assert 1 == server.log.count("Traceback")
    assert f"tiamat: error: the hook {name} failed" in server.output


def test_hooks_see_gunicorns_server(serve: Serve) -> None:
    """
    The server has what hooks use: log, pid, cfg, address, LISTENERS, WORKERS.
    """
    config = """
def child_exit(server, worker):
    server.log.info(
        "seen %s %s %s %s %s", server.pid, server.cfg.workers, len(server.LISTENERS),
        server.num_workers, worker.pid in server.WORKERS,
    )
"""
    server = serve("apps.pid:app", config=config)
    server.get()
    server.stop()

    assert f"seen {server.pid} 1 1 0 False" in server.log
