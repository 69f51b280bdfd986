"""What hooks see of the master, and how they are called."""

from typing import TYPE_CHECKING, Any

from tiamat.workers.hooks import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiamat.config import Config
    from tiamat.master.arbiter import Arbiter
    from tiamat.observe.log import Log
    from tiamat.system.listener import Listener


class Server:
    """
    The master as hooks know it, under gunicorn's names.

    Hooks may put attributes of their own on it.
    """

    def __init__(self, arbiter: "Arbiter") -> None:
        self._arbiter = arbiter

    @property
    def config(self) -> "Config":
        """The settings that are in force."""
        return self._arbiter.premises.config

    @property
    def cfg(self) -> "Config":
        """The settings that are in force, as hooks know them."""
        return self.config

    @property
    def log(self) -> "Log":
        """The logs."""
        return self._arbiter.log

    @property
    def pid(self) -> int:
        """The pid of the master."""
        return self._arbiter.premises.pid

    @property
    def app(self) -> str | None:
        """Where the application is; only workers load it."""
        return self.cfg.app

    @property
    def LISTENERS(self) -> "list[Listener]":
        """What is listened on."""
        return self._arbiter.premises.plan.listeners.all

    @property
    def address(self) -> list[Any]:
        """The addresses that are listened on."""
        return [listener.address for listener in self.LISTENERS]

    @property
    def WORKERS(self) -> dict[int, Any]:
        """The workers by pid: the objects that ``pre_fork`` saw."""
        return {
            pid: child.worker for pid, child in self._arbiter.keeper.workers.items()
        }

    @property
    def num_workers(self) -> int:
        """How many workers there shall be; a hook may set it."""
        return self._arbiter.roster.target

    @num_workers.setter
    def num_workers(self, count: int) -> None:
        keeper = self._arbiter.keeper
        keeper.set_target(min(max(1, int(count)), keeper.most))

    @property
    def worker_age(self) -> int:
        """How many workers there have been."""
        return self._arbiter.keeper.age

    @property
    def timeout(self) -> float:
        """The setting ``timeout``, in seconds."""
        return self.cfg.timeout

    @property
    def proc_name(self) -> str | None:
        """What the processes are called: ``proc_name``, or the application."""
        return self.cfg.proc_name or self.cfg.app

    def broadcast(self, data: Any, *, topic: str = "", to: str | int = "all") -> None:
        """
        Say something to the applications in the workers, and never wait for them.

        Args:
            data: what JSON can say, up to 60 kB of it.
            topic: what it is about.
            to: every worker, or the slot of one.

        Raises:
            TypeError: JSON can't say it.
            ValueError: it is too much.
        """
        self._arbiter.post.broadcast(data, topic, to)

    def call(self, name: str, *args: object, config: "Config | None" = None) -> None:
        """
        Call a hook if there is one; what it raises is logged and no more.

        Also SystemExit: nobody who serves is left alone because a hook wants to go.

        Args:
            name: of the setting.
            args: for the hook.
            config: the settings that it is of; those in force if not given.
        """
        hook: Callable[..., object] | None = getattr(config or self.config, name)
        if hook is None:
            return
        try:
            hook(*args)
        except BaseException as error:
            report(self.log, name, error)
