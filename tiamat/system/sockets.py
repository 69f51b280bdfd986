"""
Listeners: bound, inherited, and found in use.

How an address is written: ``addresses``. What a listener is: ``listener``. Who uses
an address already: ``holders``.
"""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable, Sequence
from typing import Any, Final

from tiamat.errors import BindError
from tiamat.system.addresses import (
    Descriptor,
    Tcp,
    Udp,
    Unix,
    parse_address,
)
from tiamat.system.holders import holders, in_words, tcp_inodes, unix_inodes
from tiamat.system.listener import Listener, prepared

EXHAUSTED: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
"""accept() can't go on for want of something that others may give back."""


class AddressInUse(BindError):
    """
    Somebody else listens there; waiting may help.

    Attributes:
        pids: the processes that do, as far as /proc tells us.
    """

    def __init__(self, text: str, pids: Sequence[int] = ()) -> None:
        super().__init__(text)
        self.pids = list(pids)


def listen(
    addresses: Iterable[str],
    backlog: int,
    *,
    umask: int | None = None,
    owner: tuple[int, int] | None = None,
    reuse_port: bool = False,
) -> list[Listener]:
    """
    Bind and listen on every address, or on none.

    Args:
        addresses: as people write them. A name that has several addresses is
            bound on the first.
        backlog: how many connections may wait to be accepted.
        umask: the file of a Unix socket gets the permissions that this leaves
            of 0o777; None leaves it to the process.
        owner: user and group that the file of a Unix socket is given to.
        reuse_port: others may listen on the same TCP address, if they want it, too.

    Raises:
        AddressInUse: somebody listens there; the text names who.
        BindError: any other reason, with the cure.
    """
    listeners: list[Listener] = []
    try:
        for text in addresses:
            match parse_address(text):
                case Descriptor(number):
                    listeners.append(adopt(number, backlog))
                case Unix(path):
                    listeners.append(listen_unix(path, backlog, umask, owner))
                case Tcp(host, port):
                    listeners.append(listen_tcp(host, port, backlog, reuse_port))
                case Udp(host, port):
                    listeners.append(bind_udp(host, port))
            listeners[-1].mark(text)
    except BaseException:
        for listener in listeners:
            listener.close()
            listener.unlink()
        raise
    return listeners


def adopt(number: int, backlog: int | None = None) -> Listener:
    """
    Take over a socket that was bound elsewhere: systemd, an old master, a test.

    Args:
        number: its descriptor, which the listener owns from now on.
        backlog: if given and the socket does not listen yet, it does now.

    Raises:
        BindError: the descriptor is not open, or is no listening stream socket.
    """
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            raise BindError(f"can't listen on fd://{number}: it is not a socket")
        sock = socket.socket(fileno=number)
    except OSError as error:
        raise BindError(
            f"can't listen on fd://{number}: {error.strerror}; was the descriptor"
            " passed on (systemd: Sockets=, shell: 3<&…)?"
        ) from None
    if sock.type == socket.SOCK_DGRAM and is_bound(sock):
        return prepared(sock, inherited=True)
    listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if sock.type != socket.SOCK_STREAM or (not listening and backlog is None):
        sock.detach()
        raise BindError(f"can't listen on fd://{number}: it is no listening socket")
    if not listening and backlog is not None:
        sock.listen(backlog)
    return prepared(sock, inherited=True)


def is_bound(sock: socket.socket) -> bool:
    """Whether a socket of the Internet has a port."""
    name = sock.getsockname()
    return isinstance(name, tuple) and bool(name[1])


def listen_tcp(
    host: str, port: int, backlog: int, reuse_port: bool = False
) -> Listener:
    """Bind a TCP address."""
    sock, address = resolved(host, port, socket.SOCK_STREAM)
    try:
        bind_tcp(sock, address, backlog, reuse_port)
    except OSError as error:
        sock.close()
        raise tcp_error(error, written(host, port), port) from None
    return prepared(sock)


def bind_udp(host: str, port: int) -> Listener:
    """Bind an address for datagrams; nobody listens there, but it is treated so."""
    sock, address = resolved(host, port, socket.SOCK_DGRAM)
    try:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise tcp_error(error, written(host, port), port) from None
    return prepared(sock)


def written(host: str, port: int) -> str:
    """An address as people write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def resolved(
    host: str, port: int, kind: socket.SocketKind
) -> tuple[socket.socket, Any]:
    """
    A socket for an address, and that as the system has it.

    Raises:
        BindError: there is no such host, or its addresses are not known here.
    """
    text = written(host, port)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            # As bytes: for a text Python loads what international names need.
            host.encode("idna" if not host.isascii() else "ascii") or b"0.0.0.0",
            port,
            type=kind,
            flags=socket.AI_PASSIVE,
        )[0]
        return socket.socket(family, kind, protocol), address
    except (socket.gaierror, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise BindError(
            f"can't listen on {text}: {host!r} is no address of this machine ({why})"
        ) from None
    except OSError as error:  # IPv6 may be switched off
        raise tcp_error(error, text, port) from None


def bind_tcp(sock: socket.socket, address: Any, backlog: int, reuse_port: bool) -> None:
    """Bind a TCP socket, and listen."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if sock.family == socket.AF_INET6:
        # Each family is bound by an address of its own; else [::]:80 beside
        # 0.0.0.0:80 is "address already in use" by ourselves.
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(address)
    sock.listen(backlog)


def listen_beside(listener: Listener, backlog: int) -> Listener:
    """
    Listen on the same address with one more socket: it has a queue of its own.

    Raises:
        BindError: the system refuses.
    """
    sock = socket.socket(listener.sock.family, socket.SOCK_STREAM)
    try:
        bind_tcp(sock, listener.address, backlog, reuse_port=True)
    except OSError as error:
        sock.close()
        raise tcp_error(error, listener.text, listener.address[1]) from None
    return prepared(sock)


def tcp_error(error: OSError, text: str, port: int) -> BindError:
    """What went wrong with the TCP address *text*, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return in_use(text, "it is in use", holders(tcp_inodes(port)))
    if error.errno == errno.EACCES:
        cure = (
            "; ports below 1024 need root, CAP_NET_BIND_SERVICE, or a socket"
            " from systemd"
        )
    elif error.errno == errno.EADDRNOTAVAIL:
        cure = "; no interface of this machine has that address"
    else:
        cure = ""
    return BindError(f"can't listen on {text}: {error.strerror}{cure}")


def listen_unix(
    path: str, backlog: int, umask: int | None, owner: tuple[int, int] | None
) -> Listener:
    """Bind a Unix socket, in the place of one whose server is gone."""
    text = f"unix:{path}".replace("\0", "@")
    if not path.startswith("\0"):
        remove_stale(path, owner[0] if owner is not None else os.geteuid())
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(umask) if umask is not None else None
    try:
        sock.bind(path)
    except OSError as error:
        sock.close()
        raise unix_error(error, text, path) from None
    finally:
        if before is not None:
            os.umask(before)
    listener = prepared(sock)
    try:
        sock.listen(backlog)
        if owner is not None and listener.path is not None:
            os.chown(path, *owner)
    except OSError as error:
        listener.close()
        listener.unlink()
        raise unix_error(error, text, path) from None
    return listener


def unix_error(error: OSError, text: str, path: str) -> BindError:
    """What went wrong with the Unix socket *text*, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return in_use(text, "it is in use", holders(unix_inodes(path)))
    cures = {
        errno.ENOENT: "; make its directory first",
        errno.EACCES: "; we may not write in its directory",
        errno.EPERM: "; only root gives files away (settings user, group)",
    }
    cure = cures.get(error.errno or 0, "")
    return BindError(f"can't listen on {text}: {error.strerror}{cure}")


def remove_stale(path: str, user: int) -> None:
    """
    Remove the socket file of a server that is gone.

    Args:
        user: who it may have belonged to, beside root and us.

    Raises:
        AddressInUse: a server answers there.
        BindError: it is a file, but no socket, or a stranger's.
    """
    try:
        found = os.lstat(path)
    except OSError:
        return  # nothing there; `bind` knows better what else is wrong
    if not stat.S_ISSOCK(found.st_mode):
        raise BindError(
            f"can't listen on unix:{path}: there is something that is no socket;"
            " move it away, or choose another path"
        )
    if found.st_uid not in (0, os.geteuid(), user):
        raise BindError(
            f"can't listen on unix:{path}: the socket there belongs to user"
            f" {found.st_uid}; remove it, or choose another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            return
        except OSError:
            pass  # EAGAIN: its backlog is full. EACCES: not ours to judge.
    raise in_use(f"unix:{path}", "a server answers there", holders(unix_inodes(path)))


def in_use(text: str, what: str, pids: Sequence[int]) -> BindError:
    """Somebody else listens on *text*, or we do ourselves: then no waiting helps."""
    if os.getpid() in pids:
        return BindError(
            f"can't listen on {text}: this very process does already;"
            " is the address given twice?"
        )
    return AddressInUse(
        f"can't listen on {text}: {what}{in_words(pids)};"
        " stop that server, or choose another address",
        pids,
    )
