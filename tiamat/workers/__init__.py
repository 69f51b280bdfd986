"""
How a process serves, and what ways there are.

A worker class is named by one of ``ALIASES``, by ``module:Class``, or by an entry
point of the group ``tiamat.workers`` that an installed package declares. One that was
written for gunicorn is named likewise, its entry points are of ``gunicorn.workers``.
"""

from importlib import import_module
from sys import modules
from typing import TYPE_CHECKING, Final

from tiamat.config import foreign
from tiamat.errors import ConfigError

if TYPE_CHECKING:
    from tiamat.workers.base import Worker

OURS: Final = {
    "asgi": "tiamat.workers.asgi:ASGIWorker",
    "gevent": "tiamat.workers.gevent:GeventWorker",
    "h11": "tiamat.workers.asgi:H11Worker",
    "sync": "tiamat.workers.sync:SyncWorker",
    "tcp": "tiamat.workers.tcp:TCPWorker",
    "threads": "tiamat.workers.threads:ThreadsWorker",
}

ALIASES: Final = OURS | {
    "gevent_pywsgi": OURS["gevent"],
    "gevent_wsgi": OURS["gevent"],
    "gthread": OURS["threads"],
    "h11-async": OURS["h11"],
    "tcp-gevent": "tiamat.workers.tcp_gevent:GeventServerWorker",
}
"""Also by gunicorn's names for the same."""

AUTO: Final = "tiamat.workers.auto:AutoWorker"

ALIASED: Final = frozenset(path.partition(":")[0] for path in OURS.values())
"""The modules of our own classes."""

LIBRARIES: Final = frozenset(("gevent", "websockets"))
"""What some of them need beside Tiamat."""

GROUP: Final = "tiamat.workers"

CURES: Final = {
    "uvicorn": "asgi",
    "gasgi": "asgi",
    "tornado": "asgi",
    "eventlet": "gevent",
    "gevent": "gevent",
    "ggevent": "gevent",
    "gthread": "threads",
    "sync": "sync",
}
"""Words in the names of gunicorn's workers and uvicorn's, and which of ours to use."""

STRANGERS: Final = (
    *("gunicorn.workers.", "egg:gunicorn#", "uvicorn.workers.", "uvicorn_worker."),
    *("eventlet", "tornado"),
)
"""How those names begin."""


def load_worker_class(name: object, threads: int = 1) -> type["Worker"]:
    """
    The class that the settings ``worker_class`` and ``threads`` mean.

    Args:
        name: an alias, ``module:Class``, ``module.Class``, the name of an entry
            point, or the class itself; None chooses for the application.
        threads: how many; with more than one, ``sync`` is ``threads``.

    Raises:
        ConfigError: there is no such class; the text says which there are.
    """
    from tiamat.workers.base import Worker

    if name is None:
        # What it becomes is imported before the fork: the memory is shared, and who
        # has dropped privileges may not read our files.
        first = find("threads" if threads > 1 else "sync")
        name = first if is_wrapped(first) else AUTO
    kind = find(name) if isinstance(name, str) else of_class(name)
    if threads > 1 and path_of(kind) == OURS["sync"]:
        kind = find("threads")
    kind = kind_in_use(kind)
    if not (isinstance(kind, type) and issubclass(kind, Worker)):
        refuse_strangers(f"{getattr(kind, '__module__', '')}.")
        raise ConfigError(
            f"worker_class {name!r} is no class of workers;"
            " they derive from tiamat.workers.base.Worker"
        )
    return kind


def path_of(kind: object) -> str:
    """The path by which a class is found, ``module:Class``."""
    return f"{getattr(kind, '__module__', '')}:{getattr(kind, '__name__', '')}"


def kind_in_use(kind: object) -> object:
    """The class itself; for one of ours that others have wrapped, what calls them."""
    if not is_wrapped(kind):
        return kind
    from tiamat.workers.foreigners import stand_in, wrapped

    return stand_in(wrapped(path_of(kind)))


def is_wrapped(kind: object) -> bool:
    """Whether somebody has wrapped methods of the class of gunicorn's name for ours."""
    if "tiamat.compat.gunicorn.workers" not in modules:
        return False
    from tiamat.workers.foreigners import wrapped

    return wrapped(path_of(kind)) is not None


def of_class(kind: object) -> object:
    """The class itself; ours in the place of gunicorn's, and what drives others."""
    from tiamat.workers.foreigners import is_foreign, stand_in

    path = f"{getattr(kind, '__module__', '')}.{getattr(kind, '__name__', '')}"
    name = foreign.ours_for(path.removeprefix("tiamat.compat."))
    if name:
        return find(name)
    return stand_in(kind) if is_foreign(kind) else kind


def find(name: str) -> object:
    """What stands under a name."""
    name = foreign.ours_for(name) or name
    path = ALIASES.get(name) or entry_point(name) or foreign_entry_point(name)
    if not path:
        refuse_strangers(name)
        if name.startswith("egg:"):
            raise ConfigError(
                f"worker_class {name!r}: no package that is installed declares it"
            )
        path = name
    module, colon, attribute = path.partition(":")
    if not colon:
        module, _, attribute = path.rpartition(".")
    if not module or not attribute:
        raise ConfigError(
            f"worker_class {name!r} is not known; there is {', '.join(names())},"
            " or write module:Class"
        )
    if is_foreign_path(path):
        from tiamat.workers.foreigners import stand_in

        return stand_in(path)
    return attribute_of(name, module, attribute)


def attribute_of(name: str, module: str, attribute: str) -> object:
    """
    What stands in a module, imported into this process.

    Args:
        name: what the setting calls it.
        module, attribute: where it stands.

    Raises:
        ConfigError: nothing does.
    """
    try:
        return getattr(import_module(module), attribute)
    except AttributeError:
        raise ConfigError(
            f"worker_class {name!r}: module {module!r} has no {attribute!r}"
        ) from None
    except Exception as error:
        raise ConfigError(
            f"worker_class {name!r} can't be imported: {missing(module, error)}"
        ) from error


def is_foreign_path(path: str) -> bool:
    """Whether a class of gunicorn's contract stands there, which is ours to drive."""
    if path.startswith("tiamat."):
        return False
    from tiamat.workers.foreigners import whose

    return whose(path) == "foreign"


def foreign_entry_point(name: str) -> str:
    """What an installed package declares under this name for gunicorn, or nothing."""
    if name in STRANGERS:
        return ""
    from tiamat.workers import foreigners

    return foreigners.entry_point(name)


def missing(module: str, error: Exception) -> str:
    """Why *module* can't be imported, in words; what to install if that helps."""
    absent = getattr(error, "name", None) or ""
    if isinstance(error, ModuleNotFoundError) and module in ALIASED:
        if absent == module:
            return "Tiamat does not have it yet"
        if absent in LIBRARIES:
            return f"it needs {absent}; pip install {absent}"
    return f"{type(error).__name__}: {error}"


def refuse_strangers(name: str) -> None:
    """
    Say what to use instead, to who comes from gunicorn.

    Raises:
        ConfigError: it is the name of a worker of gunicorn's, or of uvicorn's.
    """
    if not name.startswith(STRANGERS):
        return
    if name.startswith("uvicorn") and foreign.has_uvicorn(name.replace(":", ".")):
        return
    cure = next((ours for word, ours in CURES.items() if word in name), "asgi")
    raise ConfigError(
        f"worker_class {name.rstrip('.')!r} is a worker of gunicorn's, which Tiamat"
        f" does not run; use -k {cure}"
    )


def entry_point(name: str) -> str:
    """What an installed package declares under this name, or nothing."""
    if ":" in name or "." in name:
        return ""
    from importlib.metadata import entry_points  # 4 MB; few need it

    return next((point.value for point in entry_points(group=GROUP, name=name)), "")


def names() -> list[str]:
    """The names that can be used here."""
    from importlib.metadata import entry_points

    return sorted({*OURS, *(point.name for point in entry_points(group=GROUP))})
