"""``gunicorn.workers.workertmp``: a file whose time says that its worker lives."""

import os
import tempfile
import time
from typing import Any, Final

NAME: Final = "tiamat-worker"

MODE: Final = 0o600


class WorkerTmp:
    """
    A file without a name; ``notify`` sets its time.

    Args:
        cfg: the settings: its directory, and whose it is.
    """

    def __init__(self, cfg: Any) -> None:
        self._fd = unnamed(cfg.worker_tmp_dir)
        if (cfg.uid, cfg.gid) != (os.geteuid(), os.getegid()):
            os.fchown(self._fd, cfg.uid, cfg.gid)

    def notify(self) -> None:
        """Say that the worker lives."""
        now = time.monotonic()
        os.utime(self._fd, (now, now))

    def last_update(self) -> float:
        """What its time is: by ``notify``, on the monotonic clock, in seconds."""
        return os.fstat(self._fd).st_mtime

    def fileno(self) -> int:
        """The descriptor, for C code that sets the time itself."""
        return self._fd

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def unnamed(directory: str | None) -> int:
    """
    The descriptor of a new file that has no name any more.

    Without a directory it is in memory where the system can do that: so a full or slow
    disk is no matter.

    Raises:
        OSError: there can't be one in that directory.
    """
    if directory is None and hasattr(os, "memfd_create"):
        return os.memfd_create(NAME, os.MFD_CLOEXEC)
    fd, path = tempfile.mkstemp(prefix=f"{NAME}-", dir=directory)
    os.unlink(path)
    return fd
