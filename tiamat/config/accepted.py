"""
Settings of gunicorn's that are accepted and have no effect, and what replaces them.

Each has gunicorn's name, flag, kind and default, so that a configuration is read as
there; whoever gives one another value hears once what to do instead.
"""

from typing import Final

from tiamat.config import kinds
from tiamat.config.code import hook
from tiamat.config.setting import Section, Setting

DIRTY: Final = (
    "there are no dirty arbiters; long jobs belong in a queue of tasks (Celery, RQ,"
    " dramatiq) or in a service of their own"
)
STRICT: Final = (
    "what it would let in can be read in two ways, and requests are smuggled by it"
)
METHODS: Final = "every method that is a token of RFC 9110 reaches the application"

INSTEAD: Final[dict[str, str]] = {
    "asgi_disconnect_grace_period": "a client that goes ends no request: the"
    " application gets http.disconnect, and request_timeout ends what must end",
    "casefold_http_method": "methods are told apart by case (RFC 9110, 9.1), and"
    " reach the application as they came",
    "control_socket_mode": "the socket's mode is 0600, and the kernel says who asks",
    "default_proc_name": "processes have the name of the application, or proc_name",
    "dirty_apps": DIRTY,
    "dirty_graceful_timeout": DIRTY,
    "dirty_post_fork": DIRTY,
    "dirty_threads": DIRTY,
    "dirty_timeout": DIRTY,
    "dirty_worker_exit": DIRTY,
    "dirty_worker_init": DIRTY,
    "dirty_workers": DIRTY,
    "on_dirty_starting": DIRTY,
    "permit_obsolete_folding": f"folded headers get 400: {STRICT}",
    "permit_unconventional_http_method": METHODS,
    "permit_unconventional_http_version": "other versions than HTTP/1.0 and 1.1 get"
    " 505",
    "strip_header_spaces": f"a space before the colon gets 400: {STRICT}",
    "worker_tmp_dir": "heartbeats are in shared memory, and touch no disk",
}
"""By name: what is so instead, as the end of a sentence."""


class Accepted(Section):
    """Accepted, without effect"""

    casefold_http_method = Setting(
        "--casefold-http-method",
        type=kinds.switch,
        default=False,
        help="Without effect: methods reach the application as they came.",
    )
    permit_obsolete_folding = Setting(
        "--permit-obsolete-folding",
        type=kinds.switch,
        default=False,
        help="Without effect: headers that go on in the next line get 400.",
    )
    permit_unconventional_http_method = Setting(
        "--permit-unconventional-http-method",
        type=kinds.switch,
        default=False,
        help="Without effect: every method that is a token is permitted.",
    )
    permit_unconventional_http_version = Setting(
        "--permit-unconventional-http-version",
        type=kinds.switch,
        default=False,
        help="Without effect: other versions than 1.0 and 1.1 get 505.",
    )
    strip_header_spaces = Setting(
        "--strip-header-spaces",
        type=kinds.switch,
        default=False,
        help="Without effect: a space before the colon of a header gets 400.",
    )
    worker_tmp_dir = Setting(
        "--worker-tmp-dir",
        type=kinds.optional(kinds.path),
        default=None,
        help="""
            Without effect: there is no file that workers touch.

            They write their heartbeats to shared memory, so a slow disk can't make one
            look dead.
        """,
    )
    asgi_disconnect_grace_period = Setting(
        "--asgi-disconnect-grace-period",
        type=kinds.seconds,
        default=3.0,
        help="""
            Without effect: a client that goes ends no request.

            The application hears of it (`http.disconnect`) and decides; what must end
            has `request_timeout`.
        """,
    )
    control_socket_mode = Setting(
        "--control-socket-mode",
        type=kinds.count,
        default=0o600,
        help="""
            Without effect: the control socket is 0600.

            The kernel tells who asks; root and one user may.
        """,
    )
    default_proc_name = Setting(
        type=kinds.optional(kinds.text),
        default=None,
        help="Without effect: it was never meant to be set; `proc_name` is.",
    )
    dirty_apps = Setting(
        "--dirty-app",
        type=kinds.paths,
        default=[],
        help="""
            Without effect: there are no dirty arbiters.

            Long jobs belong in a queue of tasks (Celery, RQ, dramatiq), or in a service
            of their own. The same holds for the other settings of this name.
        """,
    )
    dirty_workers = Setting(
        "--dirty-workers",
        type=kinds.count,
        default=0,
        help="Without effect: see `dirty_apps`.",
    )
    dirty_timeout = Setting(
        "--dirty-timeout",
        type=kinds.seconds,
        default=300.0,
        help="Without effect: see `dirty_apps`.",
    )
    dirty_threads = Setting(
        "--dirty-threads",
        type=kinds.count,
        default=1,
        help="Without effect: see `dirty_apps`.",
    )
    dirty_graceful_timeout = Setting(
        "--dirty-graceful-timeout",
        type=kinds.seconds,
        default=30.0,
        help="Without effect: see `dirty_apps`.",
    )
    on_dirty_starting = Setting(
        type=hook("arbiter"),
        default=None,
        help="Never called: see `dirty_apps`.",
    )
    dirty_post_fork = Setting(
        type=hook("arbiter", "worker"),
        default=None,
        help="Never called: see `dirty_apps`.",
    )
    dirty_worker_init = Setting(
        type=hook("worker"),
        default=None,
        help="Never called: see `dirty_apps`.",
    )
    dirty_worker_exit = Setting(
        type=hook("arbiter", "worker"),
        default=None,
        help="Never called: see `dirty_apps`.",
    )
