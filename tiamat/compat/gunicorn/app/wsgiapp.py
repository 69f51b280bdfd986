"""The application object behind the command: it serves what the command line names."""

import os
from argparse import ArgumentParser, Namespace
from typing import Any

from tiamat.compat.gunicorn.app.base import Application
from tiamat.errors import ConfigError
from tiamat.gateways import loader, paste


class WSGIApplication(Application):
    """
    Serves ``module:name``.

    Attributes:
        app_uri: where the application is: that, or the path of a PasteDeploy file.
    """

    app_uri: str | None = None

    def init(
        self, parser: ArgumentParser, opts: Namespace, args: list[str]
    ) -> dict[str, Any] | None:
        """Take the first word of the command line, or the PasteDeploy file."""
        self.app_uri = None
        if opts.paste:
            self.app_uri = os.path.abspath(opts.paste)
            path = self.app_uri.partition("#")[0]
            if not os.path.exists(path):
                raise ConfigError(f"{path!r} not found")
            self.cfg.set("default_proc_name", path)
            if paste.configures_logging(path):
                self.cfg.set("logconfig", path)
        elif args:
            self.cfg.set("default_proc_name", args[0])
            self.app_uri = args[0]
        return None

    def load_config(self) -> None:
        """
        Set what all sources say.

        Raises:
            ConfigError: nobody has named an application.
        """
        super().load_config()
        self.app_uri = self.app_uri or self.cfg.wsgi_app
        if self.app_uri is None:
            raise ConfigError("No application module specified.")

    def load_wsgiapp(self) -> Any:
        """The application that is ``module:name``."""
        return loader.load(self.app_uri or "")

    def load_pasteapp(self) -> Any:
        """The application of the PasteDeploy file."""
        from tiamat.compat.gunicorn.app.pasterapp import get_wsgi_app

        return get_wsgi_app(self.app_uri or "", defaults=self.cfg.paste_global_conf)

    def load(self) -> Any:
        """The application."""
        if self.cfg.paste is not None:
            return self.load_pasteapp()
        return self.load_wsgiapp()


def run(prog: str | None = None) -> None:
    """
    Be the command ``gunicorn``.

    Raises:
        SystemExit: always.
    """
    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]", prog=prog).run()


if __name__ == "__main__":
    run()
