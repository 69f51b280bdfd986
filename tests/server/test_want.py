"""There is no more of something: processes, memory, a disk. The server goes on."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cgroups import group, move
from conftest import Serve
from running import Load, Server, children, wait_until

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux's own")

TROUBLED = "apps.troubled:app"


# --- Processes -----------------------------------------------------------------------


@contextlib.contextmanager
def no_processes(server: Server) -> Iterator[None]:
    """
    The master can fork no more: by RLIMIT_NPROC, or a control group for root.

    The processes of a user count for the limit, so one is too few for the next.
    """
    if os.geteuid():
        limit = resource.RLIMIT_NPROC
        before = resource.prlimit(server.pid, limit)
        resource.prlimit(server.pid, limit, (1, before[1]))
        yield
        resource.prlimit(server.pid, limit, before)
        return
    with group("pids") as directory:
        move(server.pid, directory)
        (directory / "pids.max").write_text("1")
        try:
            yield
        finally:
            (directory / "pids.max").write_text("max")
            move(server.pid, directory.parent)
            for pid in children(server.pid):
                with contextlib.suppress(ProcessLookupError):  # it has ended
                    move(pid, directory.parent)


@linux
def test_a_worker_that_can_not_be_forked_comes_later(serve: Serve) -> None:
    """The others serve meanwhile; the log says what there is none of."""
    server = serve(TROUBLED, "--workers=2")
    server.expect("killed by SIGKILL, not by us")
    server.wait_for_log("serves", times=2)
    with no_processes(server):
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_for_log(
            r"can't fork worker \d: .*Resource temporarily.*; next attempt in", 2
        )
        with Load(server.address) as load:
            load.wait_for_requests()
    server.wait_for_log("serves", times=3)

    assert [] == load.losses


@linux
def test_a_reload_without_a_process_changes_nothing(serve: Serve) -> None:
    """When there are some again, it reloads."""
    server = serve(TROUBLED, "--workers=2")
    server.wait_for_log("serves", times=2)
    before = server.workers()
    with Load(server.address) as load:
        with no_processes(server):
            server.signal(signal.SIGHUP)
            server.wait_for_log(
                "reload refused, going on as before: boot failed: can't fork: Resource"
            )
        load.wait_for_requests()
        after = server.workers()
        server.signal(signal.SIGHUP)
        server.wait_for_log("every worker is of generation 2")

    assert [] == load.losses
    assert before == after


# --- Memory --------------------------------------------------------------------------

ENTER = """#!/bin/sh
echo $$ > {directory}/cgroup.procs
exec {python} -m tiamat "$@"
"""


@linux
def test_a_worker_that_is_killed_for_memory_is_replaced(
    serve: Serve, tmp_path: Path
) -> None:
    """The line of its end says that it was the kernel, and what for."""
    with group("memory") as directory:
        (directory / "memory.limit_in_bytes").write_text(str(400 << 20))
        program = tmp_path / "program"
        program.write_text(ENTER.format(directory=directory, python=sys.executable))
        program.chmod(0o755)
        server = serve(TROUBLED, "--workers=2", "-k", "sync", program=str(program))
        server.expect("killed by SIGKILL, not by us")
        server.wait_for_log("serves", times=2)
        with pytest.raises(OSError, match=r".*"):
            server.get("/eat")
        server.wait_for_log(
            "killed by SIGKILL, not by us: by the kernel, for memory;"
            ".* in the application: GET /eat"
        )
        server.wait_for_log("serves", times=3)
        status = server.stop()

    assert 0 == status


# --- Disks ---------------------------------------------------------------------------


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system in which files can be made, and nothing can be written."""
    path = tmp_path / "full"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs to mount a file system")
    (path / "filler").write_bytes(bytes(4096))
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@linux
def test_a_pid_file_on_a_full_disk_ends_the_start(
    serve: Serve, full_disk: Path
) -> None:
    """With status 1; half a file is not left."""
    server = serve(TROUBLED, f"--pid={full_disk}/pid")

    assert 1 == server.wait_for_exit()
    assert f"can't write the pid file {full_disk}/pid: No space left" in server.output
    assert not (full_disk / "pid").exists()


@linux
def test_a_pid_file_on_a_full_disk_refuses_a_reload(
    serve: Serve, full_disk: Path
) -> None:
    """The one that there was stays."""
    server = serve(TROUBLED, config="pidfile = 'old.pid'\n")
    server.wait_for_log("serves")
    before = server.workers()
    server.config_path.write_text(f"pidfile = '{full_disk}/pid'\n")
    server.signal(signal.SIGHUP)
    server.wait_for_log("reload refused, .*: config error: .*No space left on device")
    wait_until(lambda: server.workers() == before, "the candidate is gone")

    assert f"{server.pid}\n" == (server.directory / "old.pid").read_text()
    assert not (full_disk / "pid").exists()


@linux
def test_logs_on_a_full_disk_stop_nobody(serve: Serve, full_disk: Path) -> None:
    """Access lines and errors are lost, requests are not; nor is the exit."""
    server = serve(TROUBLED, f"--access-logfile={full_disk}/access", "--workers=2")
    server.wait_for_log("serves", times=2)
    with Load(server.address) as load:
        server.signal(signal.SIGHUP)
        server.wait_for_log("every worker is of generation 2")
        load.wait_for_requests(50)

    assert [] == load.losses
    assert 0 == server.stop()


# --- As process 1 --------------------------------------------------------------------

UNSHARE = """#!/bin/sh
exec unshare --pid --fork --mount-proc --kill-child {python} -m tiamat "$@"
"""

ORPHANS = """
import os
from apps.pid import app as pid

def app(environ, start_response):
    if environ["PATH_INFO"] == "/orphans":
        for _ in range(int(environ["QUERY_STRING"])):
            child = os.fork()
            if child == 0:
                if os.fork() == 0:
                    os._exit(3)
                os._exit(0)
            os.waitpid(child, 0)
    return pid(environ, start_response)
"""


@linux
@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.soak)])
def test_process_1_buries_strangers(serve: Serve, tmp_path: Path, count: int) -> None:
    """And is not disturbed by them; it stops by TERM as any other."""
    if os.geteuid() or subprocess.run(["unshare", "-p", "-f", "true"]).returncode:
        pytest.skip("needs to make a namespace")
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "site_of_test.py").write_text(ORPHANS)
    program = tmp_path / "program"
    program.write_text(UNSHARE.format(python=sys.executable))
    program.chmod(0o755)
    server = serve("site_of_test:app", "--pid=pid", program=str(program))
    before = server.get(f"/orphans?{count}").text
    (master,) = children(server.pid)
    wait_until(lambda: not children(master, zombies=True), "all are buried")
    after = server.get().text
    named = (directory / "pid").read_text()
    os.kill(master, signal.SIGTERM)

    assert 0 == server.wait_for_exit()
    assert before == after
    assert "1\n" == named
    assert "status 3" not in server.log
