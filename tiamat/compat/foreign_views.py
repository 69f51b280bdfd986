"""What a worker that was written for gunicorn gets beside its sockets: app and log."""

from typing import TYPE_CHECKING, Any

from tiamat.compat.embedded import EmbeddedConfig
from tiamat.compat.foreign_logger import ForeignLogger
from tiamat.compat.gunicorn import config as theirs
from tiamat.compat.logger import writer
from tiamat.config import application

if TYPE_CHECKING:
    from tiamat.config import Config
    from tiamat.observe.log import Log


class ForeignConfig(theirs.Config):
    """The settings; ``reload`` is off, since Tiamat watches the files itself."""

    reload = False


class ForeignApp:
    """
    gunicorn's application object: it loads what is to be served.

    Args:
        cfg: the settings, as gunicorn's code sees them.
        config: ours.
        loaded: the application, if it is loaded already.
    """

    def __init__(self, cfg: Any, config: "Config", loaded: Any) -> None:
        self.cfg = cfg
        self.logger = None
        self.callable = loaded
        self._config = config

    def wsgi(self) -> Any:
        """
        The application, of whatever interface.

        Raises:
            TiamatError: it can't be loaded.
        """
        if self.callable is None:
            self.callable = self.load()
        return self.callable

    def load(self) -> Any:
        """
        Import it.

        Raises:
            TiamatError: it can't be loaded.
        """
        return application.load(self._config)


def app_for(cfg: Any, config: "Config", loaded: Any) -> Any:
    """
    gunicorn's application object: that of the program that embeds us, or one of ours.

    Args:
        cfg, config, loaded: as for ``ForeignApp``.
    """
    if isinstance(config, EmbeddedConfig):
        config.program.cfg = config.theirs
        return config.program
    return ForeignApp(cfg, config, loaded)


class ForeignLog:
    """
    Our logs, with gunicorn's names and arguments.

    Args:
        log: ours.
        cfg: the settings.
    """

    def __init__(self, log: "Log", cfg: "Config") -> None:
        self.cfg = cfg
        self._log = log
        self.access = writer(log, cfg.access_log_format)

    def __getattr__(self, name: str) -> Any:
        if name == "_log":  # while it is being made
            raise AttributeError(name)
        return getattr(self._log, name)

    def reopen_files(self) -> None:
        """Open the files under their names again: they were rotated."""
        self._log.reopen()

    def close_on_exec(self) -> None:
        """Nothing: our files are closed on exec from the first."""

    @property
    def access_log_enabled(self) -> bool:
        """Whether somebody reads access records."""
        return self._log.access_wanted


def log_for(log: "Log", cfg: "Config") -> Any:
    """
    The logs by gunicorn's contract: one that has it anyway, or a view.

    Args:
        log: the worker's.
        cfg: the settings.
    """
    if isinstance(log, ForeignLogger):
        return log.inner
    return log if log.takes_views else ForeignLog(log, cfg)
