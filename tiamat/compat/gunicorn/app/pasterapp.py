"""PasteDeploy's files by gunicorn's names: ``use = egg:gunicorn#main``."""

import os
from typing import Any, Final

from tiamat.compat.gunicorn.app.wsgiapp import WSGIApplication
from tiamat.compat.gunicorn.config import get_default_config_file
from tiamat.gateways import paste


def get_wsgi_app(
    config_uri: str, name: str | None = None, defaults: dict[str, Any] | None = None
) -> Any:
    """
    The application of a file.

    Args:
        config_uri: the file, with the section behind ``#`` if it is not ``main``.
        name: the section, if it is not there.
        defaults: what the file may refer to.
    """
    path = config_uri.removeprefix(paste.SCHEME)
    section = f"#{name}" if name and "#" not in path else ""
    return paste.load(f"{paste.SCHEME}{os.path.abspath(path)}{section}", defaults or {})


def has_logging_config(config_file: str) -> bool:
    """Whether a file says how to log."""
    return paste.configures_logging(config_file)


def serve(app: Any, global_conf: dict[str, Any], **local_conf: Any) -> None:
    """
    Serve an application as a file asks for it.

    Args:
        app: the application.
        global_conf: variables of the file; ``__file__`` is its path.
        local_conf: settings, as texts; ``host`` and ``port`` instead of ``bind``.

    Raises:
        SystemExit: always.
    """
    host, port = local_conf.pop("host", ""), local_conf.pop("port", "")
    if host and port:
        local_conf["bind"] = f"{host}:{port}"
    elif host:
        local_conf["bind"] = host.split(",")
    PasterServerApplication(app, global_conf["__file__"], local_conf).run()


class PasterServerApplication(WSGIApplication):
    """Serves an application that a file has made, with the settings of that file."""

    def __init__(self, app: Any, path: str, settings: dict[str, Any]) -> None:
        self.application: Final = app
        self.path: Final = path
        self.file: Final = settings.pop("config", None)
        self.own: Final = settings
        super().__init__()

    def load_config(self) -> None:
        """Set what the file of settings says, and then the PasteDeploy file."""
        self.cfg.set("default_proc_name", self.path)
        if has_logging_config(self.path):
            self.cfg.set("logconfig", self.path)
        if file := self.file or get_default_config_file():
            self.load_config_from_file(file)
        for name, value in self.own.items():
            if value is not None:
                self.cfg.set(name.lower(), value)

    def load(self) -> Any:
        """The application."""
        return self.application
