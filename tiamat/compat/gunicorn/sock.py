"""gunicorn's listeners, for programs that open them by themselves."""

import os
import socket
import sys
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from tiamat.compat.gunicorn import util
from tiamat.errors import BindError
from tiamat.system import backlog, sockets
from tiamat.system.listener import address_text

PLATFORM: Final = sys.platform


class BaseSocket:
    """
    A listener; what it has not itself, its socket has.

    Args:
        address: ``(host, port)``, or the path of a Unix socket.
        conf: the settings.
        log: the logs.
        fd: the descriptor of one that is bound already.

    Raises:
        OSError, BindError: the address can't be bound.
    """

    FAMILY: ClassVar[int]

    def __init__(self, address: Any, conf: Any, log: Any, fd: Any = None) -> None:
        self.cfg_addr, self.conf, self.log = address, conf, log
        if fd is None:
            sock = socket.socket(self.FAMILY, socket.SOCK_STREAM)
        else:
            sock = socket.socket(fileno=int(fd))
        try:
            self.sock: Any = self.set_options(sock, bound=fd is not None)
        except BaseException:
            sock.close()
            raise

    def __getattr__(self, name: str) -> Any:
        if name == "sock":  # there is none: it could not be bound
            raise AttributeError(name)
        return getattr(self.sock, name)

    def set_options(self, sock: socket.socket, bound: bool = False) -> socket.socket:
        """Make a listener of a socket."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.conf.reuse_port and self.FAMILY != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if not bound:
            self.bind(sock)
        sock.setblocking(False)
        sock.listen(self.conf.backlog)
        return sock

    def bind(self, sock: socket.socket) -> None:
        """Give it its address."""
        sock.bind(self.cfg_addr)

    def close(self) -> None:
        """Listen no more."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def get_backlog(self) -> int:
        """How many connections wait in the kernel; -1 if it does not tell."""
        return -1


class TCPSocket(BaseSocket):
    """A listener of IPv4."""

    FAMILY = socket.AF_INET

    def __str__(self) -> str:
        scheme = "https" if self.conf.is_ssl else "http"
        return f"{scheme}://{address_text(self.sock)}"

    def set_options(self, sock: socket.socket, bound: bool = False) -> socket.socket:
        """Make a listener of a socket; small answers go at once."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return super().set_options(sock, bound)

    def get_backlog(self) -> int:
        """How many connections wait in the kernel; -1 if it does not tell."""
        known = backlog.length(self.sock)
        return -1 if known is None else known


class TCP6Socket(TCPSocket):
    """A listener of IPv6."""

    FAMILY = socket.AF_INET6


class UnixSocket(BaseSocket):
    """A listener in the file system, or under an abstract name (``\\0…``)."""

    FAMILY = socket.AF_UNIX

    def __init__(self, addr: Any, conf: Any, log: Any, fd: Any = None) -> None:
        super().__init__(addr, conf, log, fd)

    def __str__(self) -> str:
        return f"unix:{self.cfg_addr}"

    def bind(self, sock: socket.socket) -> None:
        """Give it its path, in the place of one whose server is gone."""
        abstract = self.cfg_addr.startswith("\0")
        if not abstract:
            sockets.remove_stale(self.cfg_addr, self.conf.uid)
        before = os.umask(self.conf.umask)
        try:
            sock.bind(self.cfg_addr)
        finally:
            os.umask(before)
        if not abstract:
            os.chown(self.cfg_addr, self.conf.uid, self.conf.gid)


def kind_of(address: Any) -> Any:
    """The class of listeners for an address."""
    if not isinstance(address, tuple):
        return UnixSocket
    return TCP6Socket if util.is_ipv6(address[0]) else TCPSocket


def create_sockets(
    conf: Any, log: Any, fds: Iterable[Any] | None = None
) -> list[BaseSocket]:
    """
    The listeners of the settings; of the descriptors alone, if there are any.

    Raises:
        SystemExit: one can't be bound; the log says why.
        ValueError: a file of TLS is not there.
    """
    for name in ("certfile", "keyfile"):
        path = getattr(conf, name)
        if path and not os.path.exists(path):
            raise ValueError(f"{name}: there is no file {path!r}")
    addresses = conf.address
    bound = [one for one in addresses if isinstance(one, int)] + list(fds or ())
    if bound:
        return [adopted(number, conf, log) for number in bound]
    made = []
    for address in addresses:
        try:
            made.append(kind_of(address)(address, conf, log))
        except (OSError, BindError) as error:
            log.error("can't listen on %s: %s", address, error)
            close_sockets(made)
            sys.exit(1)
    return made


def adopted(number: Any, conf: Any, log: Any) -> BaseSocket:
    """The listener behind a descriptor."""
    with socket.socket(fileno=os.dup(int(number))) as sock:
        name = sock.getsockname()
    made: BaseSocket = kind_of(name)(name, conf, log, fd=number)
    return made


def close_sockets(listeners: Iterable[Any], unlink: bool = True) -> None:
    """Listen no more, and remove the files of Unix sockets."""
    for listener in listeners:
        name = listener.getsockname()
        listener.close()
        if unlink and isinstance(name, str) and name:
            util.unlink(name)


def ssl_context(conf: Any) -> Any:
    """What the settings, and their hook, make of TLS."""

    def make() -> Any:
        from tiamat.system.tls import Certificate, TLSValues, make_context

        return make_context(
            TLSValues(
                certificates=[Certificate(conf.certfile, conf.keyfile)],
                ca_certs=conf.ca_certs,
                cert_reqs=conf.cert_reqs,
                ciphers=conf.ciphers,
            )
        )

    return conf.ssl_context(conf, make)


def ssl_wrap_socket(sock: Any, conf: Any) -> Any:
    """A connection that speaks TLS."""
    return ssl_context(conf).wrap_socket(
        sock,
        server_side=True,
        suppress_ragged_eofs=conf.suppress_ragged_eofs,
        do_handshake_on_connect=conf.do_handshake_on_connect,
    )


def get_negotiated_protocol(ssl_socket: Any) -> str | None:
    """What both ends have agreed to speak (RFC 7301); None if they have not."""
    asked = getattr(ssl_socket, "selected_alpn_protocol", None)
    return asked() if asked else None


def is_http2_negotiated(ssl_socket: Any) -> bool:
    """Whether that is HTTP/2."""
    return get_negotiated_protocol(ssl_socket) == "h2"
