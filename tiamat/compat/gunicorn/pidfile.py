"""gunicorn's file that names the master, on ours: the lock tells who lives."""

import contextlib
import os
from typing import Any

from tiamat.errors import ConfigError
from tiamat.system.pidfile import PidFile


class Pidfile:
    """
    The file of this process.

    Args:
        fname: where it is.

    Attributes:
        pid: what it says; None if there is none.
    """

    def __init__(self, fname: Any) -> None:
        self.fname = fname
        self.pid: int | None = None
        self.ours: PidFile | None = None

    def create(self, pid: int) -> None:
        """
        Write it.

        Raises:
            RuntimeError: another process holds it, or it can't be written.
            ValueError: the pid is not this process's.
        """
        if pid != os.getpid():
            raise ValueError(f"a process writes its own pid, not {pid}")
        if self.ours is None:
            try:
                self.ours = PidFile(os.fspath(self.fname))
            except ConfigError as error:
                raise RuntimeError(str(error)) from None
        self.pid = pid

    def rename(self, path: Any) -> None:
        """Move it."""
        if self.ours is not None:
            self.ours.rename(os.fspath(path))
        self.fname = path

    def unlink(self) -> None:
        """Remove it, if it is ours."""
        if self.ours is not None:
            self.ours.remove()
            self.ours = None

    def validate(self) -> int | None:
        """The pid in it, if that process lives."""
        with contextlib.suppress(OSError, ValueError):
            with open(self.fname) as file:
                pid = int(file.read())
            try:
                os.kill(pid, 0)
            except PermissionError:
                return pid
            return pid
        return None
