"""
A file that names the master, locked for as long as it lives.

The lock is the truth and the number is information: a file that was left behind by
a crash has no lock, whoever runs under that number now. The lock is one of
``fcntl.lockf``: it belongs to the process, not to the open file, so workers that
outlive their master don't hold it. It would be lost if this process opened and
closed the file once more; so it is opened once and never again.
"""

import contextlib
import fcntl
import os

from tiamat.errors import ConfigError


class PidFile:
    """
    The file of this process.

    Args:
        path: where it is.

    Raises:
        ConfigError: another process holds it, or it can't be written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = self._acquire()

    def _acquire(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        while True:
            try:
                file = os.open(self.path, flags, 0o644)
            except OSError as error:
                raise ConfigError(
                    f"can't write the pid file {self.path}: {error.strerror}"
                ) from None
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                owner = os.read(file, 32).decode("ascii", "replace").strip()
                os.close(file)
                raise ConfigError(
                    f"the pid file {self.path} belongs to a running server,"
                    f" pid {owner or 'unknown'}; stop it, or choose another file"
                ) from None
            if self._is_at(self.path, file):
                break
            os.close(file)  # its owner removed it between our open and our lock
        try:
            os.ftruncate(file, 0)
            os.pwrite(file, b"%d\n" % os.getpid(), 0)
        except OSError as error:  # the disk is full
            with contextlib.suppress(OSError):
                os.unlink(self.path)
            os.close(file)
            raise ConfigError(
                f"can't write the pid file {self.path}: {error.strerror}"
            ) from None
        return file

    @staticmethod
    def _is_at(path: str, file: int) -> bool:
        """Whether the open file is the one that has this path now."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.stat(path), os.fstat(file))
        return False

    @property
    def holds(self) -> bool:
        """Whether the file at our path is ours."""
        return self._is_at(self.path, self._file)

    def rename(self, path: str) -> None:
        """
        Move it, with its lock: a new master takes the place of the old one.

        Raises:
            OSError: it can't be moved there.
        """
        os.rename(self.path, path)
        self.path = path

    def remove(self) -> None:
        """Remove it, if it is still ours, and the lock."""
        if self.holds:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        self.close()

    def close(self) -> None:
        """Close the descriptor and leave the file: in a process just forked."""
        os.close(self._file)
