"""The worker that is chosen by its application."""

from tiamat.gateways import interface
from tiamat.workers import load_worker_class
from tiamat.workers.base import Worker


class AutoWorker(Worker):
    """
    What ``worker_class`` is when nobody says anything.

    It loads the application and goes on as ``asgi``, ``threads`` or ``sync``. Only the
    worker can choose: the master never imports the application.

    The object stays and its class changes. Hooks got it before the fork and may have
    put attributes on it; signal handlers, the helper thread and the channel hold it
    too. With a second object behind the first, each of ``alive``, ``nr``, ``app``
    would have to be kept twice. Hence a class that may be chosen has no ``__init__``
    and no ``__slots__``: what it needs are attributes of the class, set in ``load``.
    """

    interfaces = ("wsgi", "asgi")

    def load(self) -> None:
        """Load the application; become the worker for it, and load what that needs."""
        super().load()
        name = self.choose()
        self.__class__ = load_worker_class(name)  # type: ignore[assignment]
        if self.slot == 0:  # one line per generation
            self.log.info("%s goes on as %s", self, name)
        self.load()

    def choose(self) -> str:
        """The alias of the class that serves the application."""
        if self.app is not None and interface.interface(self.app) == "asgi":
            return "asgi"
        return "threads" if self.cfg.threads > 1 else "sync"
