"""
A listener: a socket on which clients arrive, with its address and its file.

How one is made: ``sockets``.
"""

import contextlib
import os
import socket

from tiamat.system.addresses import split_name, split_tls


class Listener:
    """
    A bound, listening, non-blocking socket, or one for datagrams.

    Attributes:
        sock: the socket.
        address: what the kernel says it is bound to.
        text: the address as we read it again: ``127.0.0.1:8000``, ``unix:/run/x``.
        inherited: somebody else bound it, so its file is theirs to remove.
        inode: device and inode of the file of a Unix socket that we bound.
        name: of the descriptor, if who gave it had one for it; else nothing.
        plain: whether it has no TLS, although others may.
        stored: whether systemd keeps it for our next start; then its file stays.
    """

    def __init__(self, sock: socket.socket, *, inherited: bool = False) -> None:
        self.sock = sock
        self.inherited = inherited
        self.address = sock.getsockname()
        self.text = address_text(sock)
        self.inode = None if inherited else inode_of(self.path)
        self.name = ""
        self.plain = False
        self.stored = False

    def mark(self, bind: str) -> None:
        """Note what the address says of it as it was written: its name, and TLS."""
        self.name = split_name(bind)[0]
        self.plain = split_tls(bind)[0] is False

    @property
    def takes_datagrams(self) -> bool:
        """Whether there are no connections on it."""
        return self.sock.type == socket.SOCK_DGRAM

    @property
    def path(self) -> str | None:
        """The file of a Unix socket; None for TCP and for abstract names."""
        if self.sock.family != socket.AF_UNIX or not isinstance(self.address, str):
            return None
        return self.address or None

    @property
    def url(self) -> str:
        """The address for people: ``http://127.0.0.1:8000``, ``unix:/run/x (name)``."""
        return self.url_by("http")

    def url_by(self, scheme: str) -> str:
        """The same, with another scheme, if it may be https."""
        if self.plain and scheme == "https":
            scheme = "http"
        has_one = self.text.startswith(("unix:", "udp://"))
        url = self.text if has_one else f"{scheme}://{self.text}"
        return f"{url} ({self.name})" if self.name else url

    def fileno(self) -> int:
        return self.sock.fileno()

    def close(self) -> None:
        """Close this process's copy; others that share the socket go on."""
        self.sock.close()

    def unlink(self) -> None:
        """
        Remove the file of a Unix socket, if it is still the one that we made.

        Another server may have put its own there since.
        """
        if self.stored:
            return
        if self.path and self.inode and self.inode == inode_of(self.path):
            with contextlib.suppress(OSError):
                os.unlink(self.path)

    def __repr__(self) -> str:
        return f"<Listener {self.text}>"


def address_text(sock: socket.socket) -> str:
    """The address of *sock*, as ``parse_address`` would read it."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        if isinstance(name, bytes):  # abstract
            return "unix:@" + os.fsdecode(name[1:])
        return f"unix:{name}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    scheme = "udp://" if sock.type == socket.SOCK_DGRAM else ""
    return f"{scheme}{host}:{name[1]}"


def inode_of(path: str | None) -> tuple[int, int] | None:
    """Device and inode of *path*, or None."""
    if path is None:
        return None
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def prepared(sock: socket.socket, *, inherited: bool = False) -> Listener:
    """A listener of *sock* with the options that every listener has."""
    sock.setblocking(False)
    sock.set_inheritable(False)
    if sock.family != socket.AF_UNIX and sock.type == socket.SOCK_STREAM:
        # Accepted sockets inherit it on Linux: no system call per connection.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Listener(sock, inherited=inherited)


def shares_port(listener: Listener) -> bool:
    """Whether others may listen on its address."""
    if listener.sock.family == socket.AF_UNIX:
        return False
    return bool(listener.sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))
