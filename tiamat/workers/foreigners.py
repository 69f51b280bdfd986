"""
Whose a worker class is: ours, or one that was written for gunicorn.

The class of another make is not imported in the master, which would have its memory,
its threads and its old code for ever. Where the name alone does not tell, a process
of its own looks.
"""

import os
import select
import signal
import sys
from importlib import import_module
from importlib.util import find_spec
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from tiamat.config import foreign
from tiamat.errors import ConfigError
from tiamat.system import signals
from tiamat.workers import attribute_of

if TYPE_CHECKING:
    from tiamat.workers.base import Worker

GROUP: Final = "gunicorn.workers"
"""Entry points of workers for gunicorn."""

NEEDED: Final = ("init_process", "run", "notify")
"""What every worker of gunicorn's contract has."""

LIMIT: Final = 60.0
"""Seconds that the import of a worker class may take."""

ANSWER: Final = 4000
"""The most bytes of what that process has to say: a pipe takes as many at once."""

THEIRS: Final = {
    "tiamat.workers.sync:SyncWorker": "sync:SyncWorker",
    "tiamat.workers.threads:ThreadsWorker": "gthread:ThreadWorker",
    "tiamat.workers.gevent:GeventWorker": "ggevent:GeventWorker",
    "tiamat.workers.asgi:ASGIWorker": "gasgi:ASGIWorker",
}
"""By the path of a worker of ours: the class of gunicorn's name that serves with it."""

METHODS: Final = frozenset(
    (
        *("__init__", "init_process", "load_wsgi", "run", "notify", "accept", "handle"),
        *("handle_request", "handle_error", "handle_quit", "handle_exit"),
        *("handle_abort", "handle_usr1", "init_signals", "enqueue_req", "patch"),
    )
)
"""What others wrap in those classes, to see what a worker does."""

Whose: TypeAlias = Literal["ours", "foreign"]

_seen: dict[str, Whose] = {}


def stand_in(kind: Any) -> "type[Worker]":
    """The class of ours that stands for a class of gunicorn's contract, or its path."""
    made: type[Worker] = import_module("tiamat.compat.foreign_worker").stand_in(kind)
    return made


def is_foreign(kind: object) -> bool:
    """Whether this is a class of gunicorn's contract and not of ours."""
    from tiamat.workers.base import Worker

    return (
        isinstance(kind, type)
        and not issubclass(kind, Worker)
        and all(callable(getattr(kind, name, None)) for name in NEEDED)
    )


def wrapped(path: str) -> Any:
    """
    The class of gunicorn's name for a worker of ours, if somebody has changed it.

    As instrumentation does: what it has put in the place of a method is to be called.
    Nothing is imported to see that.

    Args:
        path: of our class.

    Returns:
        The class; None if it is as we made it, or not here at all.
    """
    module, _, name = THEIRS.get(path, "").partition(":")
    kind = getattr(sys.modules.get(f"tiamat.compat.gunicorn.workers.{module}"), name, 0)
    if not isinstance(kind, type):
        return None
    methods = (vars(one).get(name) for one in kind.__mro__[:-1] for name in METHODS)
    return kind if any(method and is_changed(method) for method in methods) else None


def is_changed(method: object) -> bool:
    """Whether something else stands in the place of a method of ours."""
    if not isinstance(method, FunctionType):
        return True
    return not str(method.__globals__["__name__"]).startswith("tiamat.")


def split(path: str) -> tuple[str, str]:
    """Module and class of ``module:Class`` or ``module.Class``; nothing where none."""
    module, colon, attribute = path.partition(":")
    if not colon:
        module, _, attribute = path.rpartition(".")
    return module, attribute


def imported(path: str) -> object:
    """
    What stands there, imported into this process.

    Raises:
        ConfigError: nothing does.
    """
    return attribute_of(path, *split(path))


def whose(path: str) -> Whose:
    """
    Whose the class is that stands there.

    Raises:
        ConfigError: there is none.
    """
    module, _ = split(path)
    if module.partition(".")[0] == "tiamat":
        return "ours"
    if module in sys.modules:
        return "foreign" if is_foreign(imported(path)) else "ours"
    if is_missing(module):
        raise ConfigError(
            f"worker_class {path!r} can't be imported: ModuleNotFoundError:"
            f" No module named {module.partition('.')[0]!r}"
        )
    if path.replace(":", ".").startswith(foreign.KNOWN):
        return "foreign"
    if path not in _seen:
        _seen[path] = look(path)
    return _seen[path]


def is_missing(module: str) -> bool:
    """Whether there is no such package; nothing is imported to see that."""
    top = module.partition(".")[0]
    try:
        return top not in sys.modules and find_spec(top) is None
    except ValueError:
        return False


def look(path: str) -> Whose:
    """
    Import the class in a process of its own, and see whose it is.

    Raises:
        ConfigError: it can't be imported.
    """
    reader, writer = os.pipe()
    pid = signals.fork()
    if pid == 0:
        tell(path, writer)
    os.close(writer)
    try:
        # One read: the module may have forked, so the end may never come.
        if not select.select([reader], (), (), LIMIT)[0]:
            os.kill(pid, signal.SIGKILL)
        answer = os.read(reader, ANSWER).decode("utf-8", "replace")
    finally:
        os.close(reader)
        os.waitpid(pid, 0)
    if answer in ("ours", "foreign"):
        return answer  # type: ignore[return-value]  # mypy does not narrow by `in`
    raise ConfigError(
        answer or f"worker_class {path!r} ends or blocks the process that imports it"
    )


def tell(path: str, writer: int) -> None:
    """In a process of its own: say what ``look`` asks for, and end."""
    text = ""
    try:
        text = "foreign" if is_foreign(imported(path)) else "ours"
    except BaseException as error:
        text = str(error)
        if not isinstance(error, ConfigError):
            reason = f"{type(error).__name__}: {error}"
            text = f"worker_class {path!r} can't be imported: {reason}"
    finally:
        os.write(writer, text.encode("utf-8", "replace")[:ANSWER])
        os._exit(0)


def entry_point(name: str) -> str:
    """
    What a package declares for gunicorn under a name, or as ``egg:package#name``.

    Returns:
        The path; nothing if there is none.
    """
    package, sharp, point_name = name.removeprefix("egg:").rpartition("#")
    if not name.startswith("egg:") and (":" in name or "." in name or sharp):
        return ""
    from importlib.metadata import entry_points  # 4 MB; few need it

    for point in entry_points(group=GROUP, name=point_name):
        owner = point.dist.name if point.dist else ""
        if not package or package.replace("_", "-") == owner.replace("_", "-"):
            return point.value
    return ""
