"""A logger with gunicorn's contract that is none of ours, as our workers need it."""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tiamat.observe.log import Log

if TYPE_CHECKING:
    from tiamat.config import Config


class ForeignLogger(Log):
    """
    What a class makes that knows gunicorn only, such as its own ``Logger``.

    Its handlers are its own: they may block, and it opens its files itself.

    Args:
        kind: the class; it is called with the settings as gunicorn has them.
        cfg: the settings.
    """

    takes_views = True

    def __init__(self, kind: Any, cfg: "Config") -> None:
        settings = import_module("tiamat.compat.gunicorn.config")
        self.inner = kind(settings.Config.view(cfg))
        self.prepare()
        self.error_log = self.of_inner("error_log", "gunicorn.error")
        self.access_log = self.of_inner("access_log", "gunicorn.access")

    def of_inner(self, name: str, usual: str) -> logging.Logger:
        """A logger that it has, or the usual one."""
        found: logging.Logger = getattr(self.inner, name, None) or logging.getLogger(
            usual
        )
        return found

    def __getattr__(self, name: str) -> Any:
        if name == "inner":  # while it is being made
            raise AttributeError(name)
        return getattr(self.inner, name)

    @property
    def access_wanted(self) -> bool:
        """Whether it wants access records; only new ones of gunicorn's can tell."""
        return bool(getattr(self.inner, "access_log_enabled", True))

    # gunicorn's arguments instead of ours: ``takes_views`` tells the workers.
    def access(self, *seen: Any) -> None:
        """Write a record of a request that was answered."""
        self.inner.access(*seen)

    def debug(self, msg: object, *args: object, **options: Any) -> None:
        """Say what only a developer wants to know."""
        self.inner.debug(msg, *args, **options)

    def info(self, msg: object, *args: object, **options: Any) -> None:
        """Say what happened."""
        self.inner.info(msg, *args, **options)

    def warning(self, msg: object, *args: object, **options: Any) -> None:
        """Say what somebody should look at."""
        self.inner.warning(msg, *args, **options)

    def error(self, msg: object, *args: object, **options: Any) -> None:
        """Say what went wrong."""
        self.inner.error(msg, *args, **options)

    def critical(self, msg: object, *args: object, **options: Any) -> None:
        """Say what the server can't live with."""
        self.inner.critical(msg, *args, **options)

    def exception(self, msg: object, *args: object, **options: Any) -> None:
        """Say what went wrong, with the traceback of the current exception."""
        self.inner.exception(msg, *args, **options)

    def log(self, level: int | str, msg: object, *args: object, **options: Any) -> None:
        """Say something at a level of logging's."""
        self.inner.log(level, msg, *args, **options)

    def reopen(self) -> None:
        """Have it open its files again."""
        self.inner.reopen_files()
