"""
Classes that stand for large ones in the master, which forks them and no more.

An event loop is megabytes, and the master would have them for as long as it lives: it
has a small class, and the new process becomes an object of the one that serves. A
mold has the real ones, since its workers share what it imports.
"""

from importlib.util import find_spec
from typing import Any, ClassVar, Final

from tiamat.config import foreign
from tiamat.observe.log import Log
from tiamat.workers import ALIASES, load_worker_class
from tiamat.workers.base import Worker


class LateWorker(Worker):
    """
    The class that serves is imported behind the fork, before privileges are dropped.

    Attributes:
        alias: its name.
        library: what it can't be imported without.
    """

    alias: ClassVar[str]
    library: ClassVar[str] = ""

    @classmethod
    def patch(cls, log: Log, name: str) -> None:
        """As the class that serves does."""
        real(cls).patch(log, name)

    def after_fork(self) -> None:
        """Become what serves, and do what that does here."""
        self.__class__ = real(type(self))  # type: ignore[assignment]
        self.after_fork()


class LateASGI(LateWorker):
    """Stands for ``asgi``."""

    interfaces = ("asgi",)
    alias = "asgi"


class LateH11(LateASGI):
    """Stands for ``h11``."""

    alias = "h11"


class LateGevent(LateWorker):
    """Stands for ``gevent``."""

    patches = True
    alias = library = "gevent"


class LateGeventServer(LateGevent):
    """Stands for ``tcp-gevent``."""

    interfaces: ClassVar[Any] = ("tcp",)
    alias = "tcp-gevent"


LATE: Final = {
    ALIASES[kind.alias]: kind
    for kind in (LateASGI, LateH11, LateGevent, LateGeventServer)
}
"""By the path of what they stand for."""


def late_worker_class(name: object, threads: int = 1) -> type[Worker]:
    """
    What ``load_worker_class`` finds, or a small class that stands for it.

    One without its library is loaded all the same: that says what is missing.

    Raises:
        ConfigError: there is no such class; the text says which there are.
    """
    late = LATE.get(path_of(name)) if isinstance(name, str) else None
    if late is None or (late.library and find_spec(late.library) is None):
        return load_worker_class(name, threads)
    return late


def path_of(name: str) -> str:
    """The path that one of our names means, ``module:Class``; *name* if it is none."""
    path = ALIASES.get(foreign.ours_for(name) or name, name)
    module, point, attribute = path.rpartition(".")
    return path if ":" in path or not point else f"{module}:{attribute}"


def real(kind: type[Worker]) -> type[Worker]:
    """
    The class that one stands for; itself if it stands for none.

    Raises:
        ConfigError: it can't be imported.
    """
    return load_worker_class(kind.alias) if issubclass(kind, LateWorker) else kind
