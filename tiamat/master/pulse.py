"""
The sign of life of a worker that touches a file, as gunicorn's do.

Such a worker sets the file's mtime: to the monotonic clock in gunicorn's own code, to
the time of day in that of others, and C code may do it without the interpreter. The
kernel notes with each change when it was, as ctime, by the time of day. That clock may
be set meanwhile: then a change is taken for one of now, and never for an older one
than the last look.
"""

import os
import time
from typing import Final

AHEAD: Final = 0.01
"""Seconds by which ctime may be behind: the clock for files is a coarse one."""

SET: Final = 1.0
"""Seconds by which the clocks may run apart between two looks; else one was set."""


class TouchedFile:
    """
    The file of one worker, by a descriptor that is ours.

    Args:
        fd: of the file.
        now: the time; the worker lives.

    Attributes:
        fd: of the file.
    """

    def __init__(self, fd: int, now: float) -> None:
        self.fd = fd
        self._touched = self._times()
        self._looked_at = self._beat = now
        self._apart = time.time() - now

    def _times(self) -> tuple[int, int]:
        status = os.fstat(self.fd)
        return status.st_mtime_ns, status.st_ctime_ns

    def heartbeat(self, now: float) -> float:
        """When the worker gave its last sign of life, on the monotonic clock."""
        touched, apart = self._times(), time.time() - now
        if touched != self._touched:
            self._touched = touched
            was_set = abs(apart - self._apart) > SET
            changed = now if was_set else touched[1] / 1e9 + AHEAD - apart
            self._beat = min(max(changed, self._looked_at), now)
        self._looked_at, self._apart = now, apart
        return self._beat

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.fd)
