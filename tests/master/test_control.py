"""The control socket: who may ask, and what does no harm to the master."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from asking import ctl, data_of
from children import child
from conftest import Serve
from running import LIMIT, open_files, wait_until

from tiamat.config import Config
from tiamat.master.answers import Answer, Pending
from tiamat.master.arbiter import Arbiter
from tiamat.master.control import CLIENTS_LIMIT, PATIENCE, REQUEST_LIMIT
from tiamat.master.silence import Condemned
from tiamat.system.messages import Stack

ASKS = """
import os, socket, sys
os.setuid(65534)
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
print(sock.recv(1000).decode())
"""


class Desk:
    """A master that serves its control socket when the test says so."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "c" / "control"
        self.log_path = tmp_path / "error.log"
        config = Config(
            workers=2, errorlog=str(self.log_path), control_socket=str(self.path)
        )
        self.arbiter = Arbiter(config)
        self.arbiter.premises.open_log()
        entrance = self.arbiter.premises.entrance
        entrance.use(entrance.of(config, ""))
        self.control = self.arbiter.control
        self.serve()

    def serve(self, now: float = 0.0) -> None:
        """Two turns: one lets in who knocks, the other hears."""
        self.control.serve(now)
        self.control.serve(now)

    def client(self) -> socket.socket:
        """Somebody who asks."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(LIMIT)
        sock.connect(str(self.path))
        return sock

    @contextmanager
    def waiting(self) -> Iterator[socket.socket]:
        """Somebody whose answer is not known yet."""
        with self.client() as client:
            self.serve()
            self.control.clients[0].pending = Pending()
            yield client

    def asked(self, data: bytes) -> dict[str, object]:
        """What is answered to these bytes."""
        with self.client() as client:
            client.sendall(data)
            self.serve()
            answer: dict[str, object] = json.loads(client.recv(65536))
            return answer


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A master without a loop, whose clock the test turns."""
    one = Desk(tmp_path)
    yield one
    one.arbiter.stop()


def test_a_line_is_answered_by_a_line(desk: Desk) -> None:
    """And that is all: the connection ends."""
    with desk.client() as client:
        client.sendall(b'{"command": "scale", "arguments": {"count": 3}}\n')
        desk.serve()

        assert {
            "status": 0,
            "text": "3 workers from now on",
            "data": {"target": 3},
        } == json.loads(client.recv(65536))
        assert b"" == client.recv(1)
    assert [] == desk.control.clients
    assert (
        f"control socket: scale 3, by user {os.geteuid()} (pid {os.getpid()})"
        in desk.log_path.read_text()
    )


def test_a_request_may_come_in_pieces(desk: Desk) -> None:
    """The master does other things meanwhile."""
    with desk.client() as client:
        for byte in b'{"command":"status"}\n':
            client.sendall(bytes([byte]))
            desk.serve()

        assert 2 == json.loads(client.recv(65536))["data"]["target"]


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"GET / HTTP/1.1\r\n",
        b"[]\n",
        b"null\n",
        b'{"command": 1}\n',
        b'{"command": "status", "arguments": []}\n',
        b"\xff\n",
        b"[" * 30000 + b"\n",
    ],
)
def test_what_is_no_request_is_told_so(desk: Desk, data: bytes) -> None:
    """With what one looks like."""
    answer = desk.asked(data)

    assert 1 == answer["status"]
    assert 'no request; write {"command": "status"}' in str(answer["text"])


def test_a_request_without_end_is_refused(desk: Desk) -> None:
    """The master keeps no more than 64 KiB of it."""
    with desk.client() as client:
        client.setblocking(False)
        sent = 0
        while desk.control.clients or not sent:
            try:
                sent += client.send(b"x" * 4096)
            except BlockingIOError:
                pass
            except BrokenPipeError:
                break
            desk.serve()
        client.settimeout(LIMIT)

        assert "the request is too long" == json.loads(client.recv(65536))["text"]
    assert sent <= 5 * REQUEST_LIMIT


class Unspeakable:
    """What a configuration file may hold."""

    def __repr__(self) -> str:
        raise RuntimeError("there are no words")


def test_a_command_that_fails_is_a_line_for_both(desk: Desk) -> None:
    """Who asked is told; the log has the traceback; the master goes on."""
    desk.arbiter.premises.config.values["logconfig_dict"] = {"a": Unspeakable()}
    answer = desk.asked(b'{"command": "config"}\n')

    assert "config failed: RuntimeError: there are no words" == answer["text"]
    assert "the command config failed\nTraceback" in desk.log_path.read_text()
    assert 0 == desk.asked(b'{"command": "status"}\n')["status"]


def test_who_does_not_finish_is_dropped(desk: Desk) -> None:
    """After some seconds, and the loop knows when."""
    with desk.client() as client:
        client.sendall(b'{"command"')
        desk.serve(100.0)

        assert 100.0 + PATIENCE == desk.control.deadline

        desk.serve(100.0 + PATIENCE)

        assert b"" == client.recv(1)
    assert [] == desk.control.clients


def test_who_does_not_read_is_dropped(desk: Desk) -> None:
    """An answer that is too long for the kernel waits here meanwhile."""
    with desk.client() as client:
        desk.serve(100.0)
        desk.control.reply(desk.control.clients[0], Answer(0, "x" * 10**7), 100.0)
        desk.serve(101.0)

        assert 1 == len(desk.control.clients)
        assert client.recv(4096)

        desk.serve(100.0 + PATIENCE)
    assert [] == desk.control.clients


def test_who_reads_slowly_gets_all(desk: Desk) -> None:
    """Piece by piece."""
    received = b""
    with desk.client() as client:
        desk.serve()
        desk.control.reply(desk.control.clients[0], Answer(0, "x" * 10**6), 0.0)
        while desk.control.clients:
            received += client.recv(65536)
            desk.serve()
        while data := client.recv(65536):
            received += data

    assert 10**6 == len(json.loads(received)["text"])


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("data", [b"", b'{"comm'])
def test_who_goes_is_forgotten(desk: Desk, data: bytes, waits: bool) -> None:
    """Before the request, within it, and while the answer is not known."""
    with desk.client() as client:
        client.sendall(data)
        desk.serve()
        if waits:
            desk.control.clients[0].pending = Pending()
    desk.serve()

    assert [] == desk.control.clients


def test_who_asks_for_more_than_one_thing_is_dropped(desk: Desk) -> None:
    """One request, one answer."""
    with desk.waiting() as client:
        client.sendall(b'{"command": "status"}\n')
        desk.serve()

        assert [] == desk.control.clients


def test_who_waits_is_answered_at_the_end(desk: Desk) -> None:
    """A server that stops does not just hang up."""
    with desk.waiting() as client:
        desk.control.close()

        assert "the server has stopped" == json.loads(client.recv(65536))["text"]


def test_a_stack_is_for_who_asks_and_for_who_condemns(
    desk: Desk, tmp_path: Path
) -> None:
    """A worker that is about to be killed answers both with one message."""
    directory = tmp_path / "child"
    directory.mkdir()
    with child(directory) as one, desk.client() as client:
        condemned = Condemned(one.forked, "silent for 31.0 s", one.log, 131.0)
        condemned.advance(131.0)
        desk.arbiter.keeper.condemned[one.process.pid] = condemned
        desk.serve()
        desk.control.clients[0].pending = Pending(pid=one.process.pid)
        desk.arbiter.worker_stack(one.forked, Stack("Thread MainThread: here"))
        desk.serve()

        assert "Thread MainThread: here" == json.loads(client.recv(65536))["text"]

        condemned.advance(131.1)

        assert "silent for 31.0 s, killing" in one.logged
        assert "Thread MainThread: here" in one.logged


def test_there_are_only_so_many_at_a_time(desk: Desk) -> None:
    """The next one is told to try again."""
    clients = []
    for _ in range(CLIENTS_LIMIT):
        clients.append(desk.client())
        desk.serve()
    answer = desk.asked(b"")

    assert f"{CLIENTS_LIMIT} others are asking already; try again" == answer["text"]

    for client in clients:
        client.close()
    desk.serve()

    assert 0 == desk.asked(b'{"command": "status"}\n')["status"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_others_are_refused(desk: Desk, tmp_path: Path) -> None:
    """Even where the modes of the file and its directories let them in."""
    for directory in (desk.path, *desk.path.parents):
        if directory == Path(tmp_path.anchor):
            break
        if directory.owner() == "root":
            directory.chmod(directory.stat().st_mode | 0o777)
    with subprocess.Popen(
        [sys.executable, "-c", ASKS, str(desk.path)], stdout=subprocess.PIPE, text=True
    ) as other:
        while other.poll() is None:
            desk.serve()
        assert other.stdout is not None
        text = other.stdout.read()

    assert "user 65534 may not ask here; root and user 0 may" in text
    assert (
        f"user 65534 (pid {other.pid}) is refused: only 0 and root may ask"
        in desk.log_path.read_text()
    )
    assert [] == desk.control.clients


def test_without_descriptors_who_knocks_has_to_wait(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The master does not spin meanwhile, and lets them in when it can."""
    import errno
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(number) for number in os.listdir("/proc/self/fd")}
    with desk.client() as client:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min({*range(999)} - used), hard))
        try:
            desk.serve(100.0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        assert 101.0 == desk.control.deadline
        assert os.strerror(errno.EMFILE) in desk.log_path.read_text()

        desk.serve(100.5)
        assert [] == desk.control.clients
        client.sendall(b'{"command": "status"}\n')
        desk.serve(101.0)

        assert 0 == json.loads(client.recv(65536))["status"]


# --- As a part of a server ------------------------------------------------------------


def test_only_the_master_has_it_and_it_goes_with_it(
    serve: Serve, tmp_path: Path
) -> None:
    """Workers don't inherit it, nor who asks meanwhile."""
    path = tmp_path / "c" / "control"
    server = serve("apps.pid:app", f"--control-socket={path}")
    server.wait_for_log("serves")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        data_of(path, "scale", "2")
        server.wait_for_log("serves", times=2)
        workers = server.workers()
        ours = {link for pid in workers for link in open_files(pid)}
        theirs = open_files(server.pid)

    inodes = {
        f"socket:[{line.split()[6]}]"
        for line in Path("/proc/net/unix").read_text().splitlines()
        if line.endswith(str(path))
    }
    assert 2 == len(workers)
    assert inodes & theirs
    assert not inodes & ours

    server.stop()

    assert [] == list(path.parent.iterdir())


def test_reloads_move_it(serve: Serve, tmp_path: Path) -> None:
    """Who waits for the outcome hears it though the path is another one."""
    first, second = tmp_path / "c" / "first", tmp_path / "c" / "second"
    config = "reload_watch = 0\n"
    server = serve("apps.pid:app", config=f"control_socket = {str(first)!r}\n{config}")
    server.wait_for_log("serves")
    server.config_path.write_text(f"control_socket = {str(second)!r}\n{config}")

    assert 0 == ctl(f"--socket={first}", "reload", "--wait").returncode
    assert 3 == ctl(f"--socket={first}", "status").returncode

    server.config_path.write_text(config)

    assert 0 == ctl(f"--socket={second}", "reload", "--wait").returncode
    assert [] == list(first.parent.iterdir())

    server.config_path.write_text(f"control_socket = {str(first)!r}\n{config}")
    server.signal(signal.SIGHUP)
    wait_until(first.exists, "there is a socket again")

    assert 1 == data_of(first, "status")["serving"]


def test_a_path_that_can_not_be_had_is_a_reload_that_is_refused(
    serve: Serve, tmp_path: Path
) -> None:
    """And a server that does not start."""
    path, other = tmp_path / "c" / "control", tmp_path / "file"
    other.write_text("")
    server = serve("apps.pid:app", config=f"control_socket = {str(path)!r}")
    server.wait_for_log("serves")
    server.config_path.write_text(f"control_socket = {str(other)!r}")
    done = ctl(f"--socket={path}", "reload", "--wait")

    assert 10 == done.returncode
    assert f"config error: can't listen on {other}" in done.stderr

    second = serve("apps.pid:app", f"--control-socket={path}")

    assert 1 == second.wait_for_exit()
    assert f"can't listen on {path}: a server answers there already" in second.output
    assert [server.get().text] == [str(pid) for pid in server.workers()]


def test_the_file_of_a_master_that_was_killed_is_replaced(
    serve: Serve, tmp_path: Path
) -> None:
    """Also while its workers finish."""
    path = tmp_path / "c" / "control"
    first = serve("apps.slow:app", f"--control-socket={path}")
    first.wait_for_log("serves")
    client = first.begin("/?1")
    first.signal(signal.SIGKILL)
    first.process.wait(LIMIT)

    assert path.exists()

    second = serve("apps.slow:app", f"--control-socket={path}")
    second.wait_for_log("serves")

    assert second.pid == data_of(path, "status")["pid"]

    client.close()


def test_two_masters_have_one_each(serve: Serve, tmp_path: Path) -> None:
    """The new one takes the path when the old one is gone."""
    path = tmp_path / "c" / "control"
    server = serve(
        "apps.pid:app", f"--control-socket={path}", f"--pid={tmp_path / 'pid'}"
    )
    server.wait_for_log("serves")
    server.signal(signal.SIGUSR2)
    server.wait_for_log("serves", times=2)
    new = data_of(path.with_name("control.2"), "status")["pid"]

    assert server.pid == data_of(path, "status")["pid"] != new

    server.signal(signal.SIGTERM)
    server.process.wait(LIMIT)
    server.wait_for_log("this one takes its place")
    wait_until(path.exists, "the new one has the path")

    assert new == data_of(path, "status")["pid"]
    assert 0 == ctl(f"--socket={path}", "stop").returncode

    server.wait_until_all_are_gone()

    assert [] == list(path.parent.iterdir())
