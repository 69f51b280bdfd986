"""
A Unix socket for the user of this process alone: the file, its directory, its peers.

The file has mode 0600 from its first moment on, and lies in a directory of mode 0700
if we make that. Who connects is known to the kernel (SO_PEERCRED, unix(7)), so
nothing depends on these modes alone.
"""

import contextlib
import errno
import glob
import os
import socket
import stat
import struct
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from tiamat.errors import ConfigError

BACKLOG: Final = 16

CREDENTIALS: Final = struct.Struct("3i")  # struct ucred: pid, uid, gid


class Peer(NamedTuple):
    """The process at the other end; -1 where the system does not tell."""

    pid: int
    uid: int


class PrivateSocket:
    """
    A listening socket at *path*.

    Args:
        path: where its file will be; that of a server that is gone is replaced.

    Attributes:
        sock: it does not block.

    Raises:
        ConfigError: it can't be had; another server answers there, for example.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        before = os.umask(0o177)
        try:
            make_directory(os.path.dirname(self.path))
            remove_dead(self.path)
            self.sock.bind(self.path)
            self.sock.listen(BACKLOG)
            self._file = os.stat(self.path)
        except OSError as error:
            self.sock.close()
            reason = error.strerror or error  # a path too long has no number
            raise ConfigError(f"can't listen on {self.path}: {reason}") from None
        finally:
            os.umask(before)

    def accept(self) -> tuple[socket.socket, Peer] | None:
        """
        The next who connects, and who it is; None if there is nobody now.

        Raises:
            OSError: no descriptor is left.
        """
        try:
            sock, _ = self.sock.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return None
        sock.setblocking(False)
        return sock, peer_of(sock)

    def rename(self, path: str) -> None:
        """
        Move the file; who connects there reaches the same socket.

        Raises:
            OSError: it can't be moved there.
        """
        os.rename(self.path, path)
        self.path = os.path.abspath(path)

    @property
    def holds(self) -> bool:
        """Whether the file at our path is ours."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.lstat(self.path), self._file)
        return False

    def remove(self) -> None:
        """Remove the file, if it is still ours, and close."""
        if self.holds:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        self.close()

    def close(self) -> None:
        """Close the descriptor and leave the file: in a process just forked."""
        self.sock.close()


def make_directory(path: str) -> None:
    """Make a directory for us alone, and those above it; what is there stays."""
    before = os.umask(0o077)
    try:
        os.makedirs(path, 0o700, exist_ok=True)
    finally:
        os.umask(before)


def remove_dead(path: str) -> None:
    """
    Remove the file of a server that is gone.

    Raises:
        OSError: somebody answers there, or it is no socket (as ``bind`` says), or a
            stranger's.
    """
    with contextlib.suppress(FileNotFoundError):
        if (owner := os.lstat(path).st_uid) not in (0, os.geteuid()):
            raise PermissionError(errno.EPERM, f"what is there belongs to user {owner}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            if os.path.exists(path) and not is_socket(path):
                raise FileExistsError(
                    errno.EEXIST, "there is something that is no socket"
                ) from None
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            return
        except BlockingIOError:  # its backlog is full, so there is a server
            pass
    raise OSError(errno.EADDRINUSE, "a server answers there already")


def is_socket(path: str) -> bool:
    """Whether there is a socket's file."""
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def peer_of(sock: socket.socket) -> Peer:
    """Who is at the other end, as it was when it connected."""
    if not hasattr(socket, "SO_PEERCRED"):
        return Peer(-1, os.geteuid())  # macOS: there the mode of the file decides
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid, uid, _ = CREDENTIALS.unpack(data)
    return Peer(pid, uid)


# --- Where it usually is --------------------------------------------------------


def usual_path(environ: Mapping[str, str], name: str) -> str | None:
    """
    Where the control socket of a server lies if nobody chose a path.

    Args:
        environ: the environment of the server.
        name: of the server.

    Returns:
        In the directory that systemd gave to the unit (the first of several), or else
        in that of the user's session; None if there is neither.
    """
    if directory := environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        return os.path.join(directory, "control")
    if directory := environ.get("XDG_RUNTIME_DIR", ""):
        return os.path.join(directory, "tiamat", name.replace("/", "_"))
    return None


def usual_patterns(environ: Mapping[str, str]) -> Iterator[str]:
    """Patterns of paths at which servers of this user, or units, have their socket."""
    if directory := environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        yield os.path.join(glob.escape(directory), "control")
    session = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    yield os.path.join(glob.escape(session), "tiamat", "*")
    yield "/run/tiamat*/control"
    yield "/run/tiamat/*/control"


def found(environ: Mapping[str, str]) -> list[str]:
    """The sockets that lie at the usual places, dead ones too."""
    paths = [
        path
        for pattern in usual_patterns(environ)
        for path in sorted(glob.glob(pattern))
        if is_socket(path)
    ]
    return list(dict.fromkeys(paths))
