"""Who a server is: low ports first, then nobody; and who may write to its files."""

import os
import pwd
import re
import socket
import stat
from pathlib import Path

import pytest
from conftest import Serve
from kinds import KINDS
from running import LIMIT, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")

READABLE = all(path.stat().st_mode & 0o001 for path in Path(os.__file__).parents)
"""Whether others than root can import something of Python's own library."""

ROOT = "workers run as root"


def free_low_port() -> int:
    """A port that only root may bind, as a rule."""
    for port in range(1023, 600, -1):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    pytest.skip("all low ports are taken")


def status(pid: int) -> dict[str, list[str]]:
    """The fields of a process's status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: rest.split() for name, _, rest in (li.partition(":") for li in lines)}


@pytest.mark.parametrize("kind", ["sync", "threads"])
def test_root_binds_and_nobody_serves(serve: Serve, tmp_path: Path, kind: str) -> None:
    """
    A low port and a Unix socket; nothing that is written may be written by others.
    """
    nobody = pwd.getpwnam("nobody")
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(0o755)
    app, *flags = KINDS[kind]
    port = free_low_port()
    files = {name: tmp_path / name for name in ("pid", "access", "control", "unix")}
    server = serve(
        f"apps.patient:{app}",
        *flags,
        *("--user=nobody", "--umask=007", f"--bind=unix:{files['unix']}"),
        *(f"--pid={files['pid']}", f"--access-logfile={files['access']}"),
        f"--control-socket={files['control']}",
        bind=f"127.0.0.1:{port}",
    )
    server.wait_for_log("serves")
    (worker,) = server.workers()
    ids = status(worker)
    spools = spooled_and_logged(port, worker, files["access"]) if READABLE else []

    assert 4 * [str(nobody.pw_uid)] == ids["Uid"]
    assert 4 * [str(nobody.pw_gid)] == ids["Gid"]
    assert [] == ids["Groups"]
    assert 0 == int(ids["CapEff"][0], 16) == int(ids["CapPrm"][0], 16)
    assert ROOT not in server.log
    files["error"] = server.log_path
    modes = {name: stat.S_IMODE(path.stat().st_mode) for name, path in files.items()}
    wanted = {"pid": 0o644, "access": 0o644, "error": 0o644, "control": 0o600}
    assert wanted | {"unix": 0o770} == modes
    assert all(mode == 0o600 for mode in spools)
    owners = {name: path.stat().st_uid for name, path in files.items()}
    assert (0, nobody.pw_uid) == (owners["control"], owners["unix"])


def spooled_and_logged(port: int, worker: int, access: Path) -> list[int]:
    """Send a body that outgrows memory; the modes of the files where it waits."""
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as sock:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n"
        sock.sendall(head + bytes(150_000))
        modes = spooled(worker)
        sock.sendall(bytes(50_000))
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
    wait_until(access.read_text, "it is logged")
    return modes


def spooled(worker: int) -> list[int]:
    """The modes of files without a name that a process has open, once there are."""

    def modes() -> list[int]:
        directory = Path(f"/proc/{worker}/fd")
        return [
            stat.S_IMODE(link.stat().st_mode)
            for link in directory.iterdir()
            if re.search(r"/#?\w+ \(deleted\)$", os.readlink(link))
        ]

    wait_until(modes, "the body is spooled")
    return modes()


@pytest.mark.parametrize("flags", [(), ("--user=root",)])
def test_root_is_told_once_unless_it_was_said(
    serve: Serve, flags: tuple[str, ...]
) -> None:
    """By the master, however many workers there are."""
    server = serve("apps.pid:app", "--workers=3", *flags)
    server.wait_for_log("serves", times=3)

    assert (0 if flags else 1) == server.log.count(ROOT)


def test_a_strangers_socket_is_not_replaced(serve: Serve, tmp_path: Path) -> None:
    """Though nobody listens there any more; that of the workers' user is."""
    path = tmp_path / "unix"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    os.chown(path, 12345, 12345)
    server = serve("apps.pid:app", bind=f"unix:{path}")
    assert 1 == server.wait_for_exit()
    assert "belongs to user 12345" in server.log + server.output

    os.chown(path, pwd.getpwnam("nobody").pw_uid, 12345)
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(0o755)
    serve("apps.pid:app", "--user=nobody", bind=f"unix:{path}").wait_for_log("serves")
