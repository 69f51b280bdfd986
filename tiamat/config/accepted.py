"""
Settings of gunicorn's that are accepted and have no effect, and what replaces them.

Each has gunicorn's name, flag, kind and default, so that a configuration is read as
there; whoever gives one another value hears once what to do instead.
"""

import textwrap
from functools import partial
from typing import Any, Final, TypeVar

from tiamat.config import kinds
from tiamat.config.code import hook
from tiamat.config.setting import Kind, Section, Setting

T = TypeVar("T")


class WithoutEffect(Setting[T]):
    """
    A setting that is read, and no more.

    Args:
        instead: what is so instead, as the end of a sentence.
        says: the same for the manual, where that would repeat itself.
    """

    def __init__(
        self, *flags: str, type: Kind[T], default: T, instead: str, says: str = ""
    ) -> None:
        help = textwrap.fill(f"Without effect: {says or instead}.", 78)
        super().__init__(*flags, type=type, default=default, help=help)
        self.instead = instead


switched_off: Final = partial(WithoutEffect[bool], type=kinds.switch, default=False)

DIRTY: Final = (
    "there are no dirty arbiters; long jobs belong in a queue of tasks (Celery, RQ,"
    " dramatiq) or in a service of their own"
)

dirty: Final = partial(WithoutEffect[Any], instead=DIRTY, says="see `dirty_apps`")

STRICT: Final = (
    "what it would let in can be read in two ways, and requests are smuggled by it"
)


class Accepted(Section):
    """Accepted, without effect"""

    casefold_http_method = switched_off(
        "--casefold-http-method",
        instead="methods are told apart by case (RFC 9110, 9.1), and reach the"
        " application as they came",
    )
    permit_obsolete_folding = switched_off(
        "--permit-obsolete-folding", instead=f"folded headers get 400: {STRICT}"
    )
    permit_unconventional_http_method = switched_off(
        "--permit-unconventional-http-method",
        instead="every method that is a token of RFC 9110 reaches the application",
    )
    permit_unconventional_http_version = switched_off(
        "--permit-unconventional-http-version",
        instead="other versions than HTTP/1.0 and 1.1 get 505",
    )
    strip_header_spaces = switched_off(
        "--strip-header-spaces",
        instead=f"a space before the colon gets 400: {STRICT}",
    )
    worker_tmp_dir = WithoutEffect(
        "--worker-tmp-dir",
        type=kinds.optional(kinds.path),
        default=None,
        instead="heartbeats are in shared memory, and touch no disk",
    )
    asgi_disconnect_grace_period = WithoutEffect(
        "--asgi-disconnect-grace-period",
        type=kinds.seconds,
        default=3.0,
        instead="a client that goes ends no request: the application gets"
        " http.disconnect, and request_timeout ends what must end",
    )
    control_socket_mode = WithoutEffect(
        "--control-socket-mode",
        type=kinds.count,
        default=0o600,
        instead="the socket's mode is 0600, and the kernel says who asks",
    )
    default_proc_name = WithoutEffect(
        type=kinds.optional(kinds.text),
        default=None,
        instead="processes have the name of the application, or proc_name",
    )
    dirty_apps = WithoutEffect(
        "--dirty-app", type=kinds.paths, default=[], instead=DIRTY
    )
    dirty_workers = dirty("--dirty-workers", type=kinds.count, default=0)
    dirty_timeout = dirty("--dirty-timeout", type=kinds.seconds, default=300.0)
    dirty_threads = dirty("--dirty-threads", type=kinds.count, default=1)
    dirty_graceful_timeout = dirty(
        "--dirty-graceful-timeout", type=kinds.seconds, default=30.0
    )
    on_dirty_starting = dirty(type=hook("arbiter"), default=None)
    dirty_post_fork = dirty(type=hook("arbiter", "worker"), default=None)
    dirty_worker_init = dirty(type=hook("worker"), default=None)
    dirty_worker_exit = dirty(type=hook("arbiter", "worker"), default=None)


INSTEAD: Final = {
    name: setting.instead
    for name, setting in Accepted.settings.items()
    if isinstance(setting, WithoutEffect)
}
"""By name: what is so instead, as the end of a sentence."""
