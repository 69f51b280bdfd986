"""Where the server listens."""

from tiamat.config import kinds
from tiamat.config.setting import FromEnviron, Section, Setting


class Listening(Section):
    """Listening"""

    bind = Setting(
        "-b",
        "--bind",
        type=kinds.addresses,
        default=["127.0.0.1:8000"],
        environ=FromEnviron("PORT", "0.0.0.0:{}"),
        help="""
            An address to listen on; repeat the flag for several.

            `HOST:PORT`, `HOST` (port 8000), `:PORT` (every IPv4 address),
            `[v6]:PORT`, `unix:PATH`, `unix:@NAME` (Linux's abstract names) or
            `fd://N` (a descriptor that is open already); `plain://` before it: no
            TLS on this one, `tls://`: not without certificates. Port 0 lets the system
            choose; the log says which. For [worker scripts](raw-tcp.md) there are
            `udp://HOST:PORT` and names, `smtp=0.0.0.0:25`; in a file also
            `bind = {"smtp": "0.0.0.0:25"}`.

            The file of a Unix socket has the permissions that `umask` leaves and
            belongs to `user` and `group`. One that a dead server left behind is
            replaced; one that a server answers on is refused.

            Sockets passed by systemd (`LISTEN_FDS`) are used instead.
        """,
    )
    status_bind = Setting(
        "--status-bind",
        type=kinds.optional(kinds.address),
        default=None,
        help="""
            An address for `/livez`, `/readyz` and `/metrics`; off by default.

            A process of its own answers there, also while every worker is busy or
            stuck: whether the server lives, whether it wants requests, and its figures
            for Prometheus. Needs `pip install 'tiamat-server[metrics]'`. Anybody who
            can connect may read them, so keep it to an address of your own. Written as
            in `bind`, but for `fd://`. See metrics.md.
        """,
    )
    backlog = Setting(
        "--backlog",
        type=kinds.count,
        default=2048,
        help="""
            How many connections the kernel keeps until a worker accepts them.

            The kernel caps it (`net.core.somaxconn` on Linux, 4096).
        """,
    )
    reuse_port = Setting(
        "--reuse-port",
        type=kinds.switch,
        default=False,
        help="""
            A TCP address has a socket per worker, and others may listen on it, too.

            The kernel spreads connections over the sockets (SO_REUSEPORT); each has
            its own queue of `backlog`. The master makes and keeps them, and all workers
            accept from all of them: a worker's end loses no connection, and none waits
            behind a busy worker. A second server of the same user with this setting
            shares the address; without it that is an error. Set at a start.
        """,
    )
