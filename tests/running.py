"""A real server in processes of its own, and clients that put it under load."""

import contextlib
import http.client
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LIMIT = 45.0
"""Seconds that anything may take. It is generous: machines are busy."""

KEPT = 1.5
"""
Seconds for which a client counts on a kept-alive connection.

Less than ``keep_alive``: a machine may stand still for longer between two requests.
"""

TESTS = Path(__file__).resolve().parent


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds; *what* says which, if it never does."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


def open_files(pid: int) -> set[str]:
    """
    What the descriptors of a process are, as links under /proc.

    A process may close one while they're read.
    """
    found = set()
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(f"/proc/{pid}/fd/{number}"))
    return found


def ended(pid: int) -> bool:
    """Whether a process is gone, or a zombie."""
    return state(pid) in {"", "Z"}


def state(pid: int) -> str:
    """The letter for what a process does: S sleeps, R runs; "" if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[0]


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    text: str


class Server:
    """
    A real master and its workers.

    The test listens and the server inherits the socket, so there is no port to
    guess and no start to wait for: a request that comes early waits in the backlog
    until a worker accepts it. With ``bind`` the server listens itself; "none" leaves
    that to its configuration file. ``program`` is run instead of ``python -m tiamat``,
    and what is in the directories of ``path`` can be imported, too.
    """

    def __init__(
        self,
        directory: Path,
        app: str,
        *flags: str,
        bind: str = "",
        config: str = "",
        program: str = "",
        path: str = "",
    ) -> None:
        self.directory = directory
        self.log_path = directory / "error.log"
        self.config_path = directory / "tiamat.conf.py"
        self.allowed: list[str] = []
        self.listener: socket.socket | None = None
        fds = []
        if not bind:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
            fds.append(self.listener.fileno())
            bind = f"fd://{fds[0]}"
        # Every process of the server inherits the writing end; its end is theirs.
        self._alive, writer = os.pipe()
        fds.append(writer)
        if config:
            self.config_path.write_text(config)
        self.command = [
            *([program] if program else [sys.executable, "-m", "tiamat"]),
            *([app] if app else []),
            *([f"--bind={bind}"] if bind != "none" else []),
            *(f"--error-logfile={self.log_path}", *flags),
        ]
        with (directory / "output").open("wb") as output:
            self.process = subprocess.Popen(
                self.command,
                pass_fds=fds,
                cwd=directory,
                env=environment(directory, path),
                stdout=output,
                stderr=output,
                start_new_session=True,  # so that all can be killed if a test fails
            )
        os.close(writer)

    # --- What it says -----------------------------------------------------------

    @property
    def log(self) -> str:
        """The error log so far."""
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    @property
    def output(self) -> str:
        """What the command printed so far."""
        return (self.directory / "output").read_text(errors="replace")

    def wait_for_log(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until the log has *pattern*, for the *times*-th time; return that."""

        def found() -> re.Match[str] | None:
            matches = list(re.finditer(pattern, self.log))
            return matches[times - 1] if len(matches) >= times else None

        deadline = time.monotonic() + LIMIT
        while (match := found()) is None:
            ended = bool(select.select([self._alive], (), (), 0)[0])
            if (ended and found() is None) or time.monotonic() > deadline:
                raise AssertionError(
                    f"no {pattern!r} in the log:\n{self.log}\n{self.output}"
                )
            time.sleep(0.01)
        return match

    def expect(self, text: str) -> None:
        """Lines of the log that contain this may hold a traceback or a SIGKILL."""
        self.allowed.append(text)

    # --- What it does -------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The master."""
        return self.process.pid

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        if self.listener is None:
            match = self.wait_for_log(r"listening on \w+://127\.0\.0\.1:(\d+)")
            return "127.0.0.1", int(match[1])
        host, port = self.listener.getsockname()
        return host, port

    def workers(self) -> list[int]:
        """The pids of the children of the master."""
        return children(self.pid)

    def zombies(self) -> list[int]:
        """The children that the master has not reaped."""
        return children(self.pid, zombies=True)

    def signal(self, number: int) -> None:
        """Send a signal to the master."""
        os.kill(self.pid, number)

    def get(self, path: str = "/") -> Answer:
        """A request, on a connection of its own."""
        return get(self.address, path)

    def wait_for_exit(self) -> int:
        """Wait until the master and all others have ended; the exit status."""
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the master does not end:\n{self.log}") from None
        self.wait_until_all_are_gone()
        return status

    def wait_until_all_are_gone(self) -> None:
        """Wait until no process of the server is left."""
        if not select.select([self._alive], (), (), LIMIT)[0]:
            raise AssertionError(f"a process is left:\n{self.log}")

    def begin(self, path: str) -> http.client.HTTPConnection:
        """Begin a request of apps.slow, and wait until it is in the application."""
        return self.begin_at(path, "begun")

    def begin_at(self, path: str, name: str) -> http.client.HTTPConnection:
        """Begin a request, and wait until the application has made this file."""
        mark = self.directory / name
        mark.unlink(missing_ok=True)
        connection = http.client.HTTPConnection(*self.address, timeout=LIMIT)
        connection.request("GET", path)
        wait_until(mark.exists, "the request is in the application")
        return connection

    def stop(self) -> int:
        """Stop it gracefully; the exit status."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait_for_exit()

    def close(self) -> None:
        """Stop it whatever its state, and check what it left behind."""
        try:
            self.stop()
        except AssertionError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()
            raise
        finally:
            os.close(self._alive)
            if self.listener is not None:
                self.listener.close()
        for strange in ("Traceback", "SIGKILL", "failed here"):
            for line in self.log.splitlines():
                if strange in line and not any(text in line for text in self.allowed):
                    raise AssertionError(f"{strange} in the log:\n{self.log}")


def environment(directory: Path, more: str = "") -> dict[str, str]:
    """The environment of a server: the applications can be imported, and *more*."""
    path = f"{directory}:{TESTS}:{more}".rstrip(":")
    ours = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PWD": str(directory)}
    return os.environ | ours


def children(pid: int, *, zombies: bool = False) -> list[int]:
    """The pids of the children of a process: those that live, or those that don't."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and (fields[0] == "Z") is zombies:
            found.append(int(entry.parent.name))
    return sorted(found)


def get(address: tuple[str, int], path: str = "/") -> Answer:
    """A request, on a connection of its own."""
    connection = http.client.HTTPConnection(*address, timeout=LIMIT)
    try:
        connection.request("GET", path)
        return answer_of(connection)
    finally:
        connection.close()


def answer_of(connection: http.client.HTTPConnection) -> Answer:
    """The response that comes next."""
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read().decode())


def some_path(where: str = "/") -> str:
    """As many seconds to take: mostly few, for one in twenty up to two."""
    most = 0.1 if random.random() < 0.95 else 2.0
    return f"{where}?{random.uniform(0.01, most):.3f}"


class Load:
    """
    Clients that send requests one after the other until they are told to stop.

    Half of them keep their connection as long as the server lets them, half open
    one per request. Whatever is not a 200 is a loss. The path of the next request may
    come from a function.

    Attributes:
        texts: how often each text came.
        losses: what went wrong.
    """

    def __init__(
        self,
        address: tuple[str, int],
        path: str | Callable[[], str] = "/",
        clients: int = 4,
    ) -> None:
        self.address = address
        self.next_path = path if callable(path) else lambda: path
        self.texts: Counter[str] = Counter()
        self.losses: list[str] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(index % 2 == 0,), daemon=True)
            for index in range(clients)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        self.wait_for_requests(1)
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def count(self) -> int:
        """How many responses came."""
        return sum(self.texts.values())

    def wait_for_requests(self, more: int = 20) -> None:
        """Wait until so many more responses came."""
        wanted = self.count + more
        wait_until(lambda: self.losses or self.count >= wanted, "responses come")

    def stop(self) -> None:
        """Let the clients finish their requests and end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(LIMIT)

    def _run(self, keep: bool) -> None:
        connection, asked = None, 0.0
        while not self._stop.is_set():
            late = False
            try:
                if connection is not None and time.monotonic() - asked > KEPT:
                    connection.close()
                    connection = None
                fresh = connection is None
                if connection is None:
                    connection = http.client.HTTPConnection(
                        *self.address, timeout=LIMIT
                    )
                headers = {} if keep else {"Connection": "close"}
                asked = time.monotonic()
                connection.request("GET", self.next_path(), headers=headers)
                late = not fresh and time.monotonic() - asked > KEPT
                answer = answer_of(connection)
            except Exception as error:
                if connection is not None:
                    connection.close()
                if not late:
                    self._note(f"{type(error).__name__}: {error}", loss=True)
                connection = None
                continue
            self._note(answer.text, loss=answer.status != 200)
            if answer.headers.get("connection") == "close" or not keep:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _note(self, text: str, *, loss: bool) -> None:
        with self._lock:
            if loss:
                self.losses.append(text)
            else:
                self.texts[text] += 1
