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
            `fd://N` (a descriptor that is open already). Port 0 lets the system
            choose; the log says which.

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
