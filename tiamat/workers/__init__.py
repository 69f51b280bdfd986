"""
How a process serves, and what ways there are.

A worker class is named by one of ``ALIASES``, by ``module:Class``, or by an entry
point of the group ``tiamat.workers`` that an installed package declares.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from tiamat.errors import ConfigError

if TYPE_CHECKING:
    from tiamat.workers.base import Worker

ALIASES: Final = {"sync": "tiamat.workers.sync:SyncWorker"}

GROUP: Final = "tiamat.workers"

GUNICORN: Final = frozenset(
    ("gthread", "gevent", "gevent_wsgi", "gevent_pywsgi", "eventlet", "tornado")
)
"""Names of gunicorn's workers; its ``sync`` is as ours."""

GUNICORN_PATHS: Final = ("gunicorn.workers.", "egg:gunicorn#")
"""How they begin otherwise."""

ASGI_PATHS: Final = ("uvicorn.workers.", "uvicorn_worker.")
"""How the names of those begin that serve ASGI under gunicorn."""


def load_worker_class(name: object) -> type["Worker"]:
    """
    The class that the setting ``worker_class`` means.

    Args:
        name: an alias, ``module:Class``, ``module.Class``, the name of an entry
            point, or the class itself; None chooses for the application.

    Raises:
        ConfigError: there is no such class; the text says which there are.
    """
    from tiamat.workers.base import Worker

    if name is None:
        name = "sync"
    kind = find(name) if isinstance(name, str) else name
    if not (isinstance(kind, type) and issubclass(kind, Worker)):
        refuse_gunicorn_s(f"{getattr(kind, '__module__', '')}.")
        raise ConfigError(
            f"worker_class {name!r} is no class of workers;"
            " they derive from tiamat.workers.base.Worker"
        )
    return kind


def find(name: str) -> object:
    """What stands under a name."""
    path = ALIASES.get(name) or entry_point(name)
    if not path:
        refuse_gunicorn_s(name)
        path = name
    module, colon, attribute = path.partition(":")
    if not colon:
        module, _, attribute = path.rpartition(".")
    if not module or not attribute:
        raise ConfigError(
            f"worker_class {name!r} is not known; there is {', '.join(names())},"
            " or write module:Class"
        )
    try:
        return getattr(import_module(module), attribute)
    except AttributeError:
        raise ConfigError(
            f"worker_class {name!r}: module {module!r} has no {attribute!r}"
        ) from None
    except Exception as error:
        raise ConfigError(
            f"worker_class {name!r} can't be imported: {type(error).__name__}: {error}"
        ) from error


def refuse_gunicorn_s(name: str) -> None:
    """
    Say what else there is, to who comes from gunicorn.

    Raises:
        ConfigError: it is the name of a worker of gunicorn's.
    """
    what = f"worker_class {name.rstrip('.')!r} is a gunicorn worker"
    if name == "asgi" or name.startswith(ASGI_PATHS):
        raise ConfigError(f"{what} for ASGI; Tiamat's asgi worker comes later")
    if name in GUNICORN or name.startswith(GUNICORN_PATHS):
        raise ConfigError(
            f"{what} that Tiamat does not have yet; use sync with more workers"
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

    return sorted({*ALIASES, *(point.name for point in entry_points(group=GROUP))})
