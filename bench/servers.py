"""A server at work, pinned to a core."""

from __future__ import annotations

import atexit
import contextlib
import functools
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bench import client, procfs
from bench.environment import ROOT
from bench.peers import SERVERS, THREADS

if TYPE_CHECKING:
    from bench.environment import Environment

START_LIMIT = 20.0  # seconds until a server must answer
STOP_LIMIT = 5.0
UNWANTED = {"PORT", "WEB_CONCURRENCY", "TIAMAT_CMD_ARGS", "GUNICORN_CMD_ARGS"}


class DidNotStartError(Exception):
    """The server did not answer within its time; carries the end of its log."""


@dataclass(frozen=True)
class Cores:
    """Which core the server has, and which the clients."""

    server: int
    client: int

    @classmethod
    def choose(cls) -> Self:
        """Take the first two cores we may use; the same twice if there is one."""
        allowed = sorted(os.sched_getaffinity(0))
        return cls(server=allowed[0], client=allowed[-1])


class Running:
    """
    A server at work, pinned to a core, as a context manager.

    Raises:
        DidNotStartError: on entering, if it does not answer.
    """

    def __init__(
        self,
        name: str,
        app: str,
        environment: Environment,
        cores: Cores,
        threads: int = THREADS,
        *,
        tls: bool = False,
    ) -> None:
        self.name = name
        self.cores = cores
        self.port = free_port()
        self.tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/"
        self._ready: dict[int, int] = {}  # pid → CPU time when it first answered
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed on exit
        command = SERVERS[name].command.format(
            bin=environment.bin, app=app, port=self.port, threads=threads
        )
        if tls:
            cert, key = certificate()
            command += SERVERS[name].tls.format(cert=cert, key=key)
        self._process = subprocess.Popen(
            ["taskset", "-c", str(cores.server), *command.split()],
            cwd=ROOT,
            env=clean_environ(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        deadline = time.monotonic() + START_LIMIT
        while not answers(self.port, tls=self.tls):
            if self._process.poll() is not None or time.monotonic() > deadline:
                reason = self._log_tail()
                self.__exit__()
                raise DidNotStartError(reason)
            time.sleep(0.02)
        self._ready = {pid: procfs.cpu_time(pid) for pid in self.family()}
        return self

    def __exit__(self, *exc_info: object) -> None:
        family = self.family()
        self._process.terminate()
        try:
            self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()

    def family(self) -> list[int]:
        """Return the pids of master and workers."""
        return procfs.family(self._process.pid)

    def cpu_time(self) -> int:
        """Return the CPU time of the whole family, in nanoseconds."""
        return sum(map(procfs.cpu_time, self.family()))

    def worker(self) -> int:
        """Return the pid that serves: the one that worked most since the start."""
        return max(
            self.family(),
            key=lambda pid: procfs.cpu_time(pid) - self._ready.get(pid, 0),
        )

    def _log_tail(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        return " / ".join(lines[-3:]) or f"exit status {self._process.returncode}"


def clean_environ() -> dict[str, str]:
    """Return our environment without what would change a server's settings."""
    environ = {k: v for k, v in os.environ.items() if k not in UNWANTED}
    return environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@functools.cache
def certificate() -> tuple[Path, Path]:
    """Make a certificate and its key (P-256), as long as this process lives."""
    folder = Path(tempfile.mkdtemp(prefix="bench-tls-"))
    atexit.register(shutil.rmtree, folder)
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
    command += f" -nodes -days 30 -subj /CN=localhost -keyout {key} -out {cert}"
    subprocess.run(command.split(), check=True, capture_output=True)
    return cert, key


def answers(port: int, *, tls: bool = False) -> bool:
    """Tell whether a server answers there, whatever it answers."""
    connection = client.connect(port, 5, tls=tls)
    try:
        connection.request("GET", "/ready")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
