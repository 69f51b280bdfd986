"""
Application objects: who derives from them says what is served, and how.

``run`` serves, and does not return.
"""

import importlib
import os
import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from tiamat import cli
from tiamat.compat.embedded import EmbeddedConfig
from tiamat.compat.gunicorn.arbiter import Arbiter
from tiamat.compat.gunicorn.config import Config, get_default_config_file
from tiamat.config import files
from tiamat.errors import ConfigError, TiamatError


class BaseApplication:
    """
    What is served, and the settings for it.

    One that sets ``daemon`` goes to the background by code of its own, as under
    gunicorn; an ``Application`` leaves that to us.

    A subclass has ``load_config``, which sets what is to be set in ``cfg``, and
    ``load``, which returns the application.

    Attributes:
        usage, prog: of the command line.
        cfg: the settings that are in force.
        callable: the application, once it was loaded.
        logger: nothing; kept for who assigns it.
        goes_to_background: whether ``daemon`` is for us to do.
        started_in: the directory that paths in the settings are relative to.
    """

    goes_to_background = False

    def __init__(self, usage: str | None = None, prog: str | None = None) -> None:
        self.usage = usage
        self.cfg: Any = None
        self.callable: Any = None
        self.prog = prog
        self.logger: Any = None
        self.started_in = os.getcwd()
        self.do_load_config()

    def do_load_config(self) -> None:
        """
        Read the settings from the beginning.

        Raises:
            SystemExit: something is wrong with them, which was printed; status 1.
        """
        try:
            self.load_default_config()
            self.load_config()
            self.cfg.validate()
        except Exception as error:
            cli.say("error", str(error) or type(error).__name__)
            sys.exit(1)

    def load_default_config(self) -> None:
        """Begin with the defaults."""
        self.cfg = Config(self.usage, prog=self.prog)

    def init(
        self, parser: ArgumentParser, opts: Namespace, args: list[str]
    ) -> dict[str, Any] | None:
        """Settings of the subclass's own; what the command line says comes on top."""
        raise NotImplementedError

    def load(self) -> Any:
        """Return the application."""
        raise NotImplementedError

    def load_config(self) -> None:
        """Set what is to be set."""
        raise NotImplementedError

    def reload(self) -> None:
        """Read the settings again: HUP came."""
        self.do_load_config()

    def wsgi(self) -> Any:
        """The application; loaded if it is not. Each worker calls this."""
        if self.callable is None:
            self.callable = self.load()
        return self.callable

    def run(self) -> None:
        """
        Serve until told to stop.

        Raises:
            SystemExit: always.
        """
        try:
            # By that name of this module, in whose place others may be put.
            Arbiter(self).run()
        except TiamatError as error:
            cli.say("error", str(error))
            sys.exit(error.exit_status)
        except RuntimeError as error:
            cli.say("error", str(error))
            sys.exit(1)


class Application(BaseApplication):
    """One that reads the command line and a file of settings."""

    goes_to_background = True

    def chdir(self) -> None:
        """Go to the directory of the settings, and import from there."""
        directory = os.path.join(self.started_in, self.cfg.chdir)
        directory = os.path.normpath(directory)
        os.chdir(directory)
        if directory not in sys.path:
            sys.path.insert(0, directory)

    def get_config_from_filename(self, filename: str) -> dict[str, Any]:
        """
        What a file of settings defines.

        Raises:
            RuntimeError: there is no such file.
            ConfigError: it failed.
        """
        if not os.path.exists(filename):
            raise RuntimeError(f"{filename!r} doesn't exist")
        path = os.path.abspath(filename)
        return files.execute(filename, path, files.MODULE).names

    def get_config_from_module_name(self, module_name: str) -> dict[str, Any]:
        """What a module defines; it is imported."""
        return vars(importlib.import_module(module_name))

    def load_config_from_module_name_or_filename(self, location: str) -> dict[str, Any]:
        """
        Set what a file says.

        Args:
            location: ``PATH``, ``file:PATH`` or ``python:MODULE``.

        Returns:
            All that it defines.
        """
        if location.startswith("python:"):
            names = self.get_config_from_module_name(location.removeprefix("python:"))
        else:
            names = self.get_config_from_filename(location.removeprefix("file:"))
        for name, value in names.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)
        return names

    def load_config_from_file(self, filename: str) -> dict[str, Any]:
        """Set what a file says; its place is written as for ``--config``."""
        return self.load_config_from_module_name_or_filename(location=filename)

    def load_config(self) -> None:
        """
        Set what all sources say, the weakest first.

        Those are ``init``, the file, GUNICORN_CMD_ARGS and the command line.
        """
        parser = self.cfg.parser()
        line = parser.parse_args()
        own = self.init(parser, line, line.args)
        self.chdir()
        for name, value in (own or {}).items():
            self.cfg.set(name.lower(), value)
        from_environ = parser.parse_args(self.cfg.get_cmd_args_from_env())
        file = line.config or from_environ.config or get_default_config_file()
        if file:
            self.load_config_from_file(file)
        for source in (from_environ, line):
            for name, value in vars(source).items():
                if value is not None and name != "args":
                    self.cfg.set(name.lower(), value)
        self.chdir()

    def run(self) -> None:
        """
        Serve until told to stop, or only look at the settings if that is wanted.

        Raises:
            SystemExit: always.
        """
        if self.cfg.print_config or self.cfg.check_config:
            sys.exit(self.look())
        super().run()

    def look(self) -> int:
        """Print the settings, or what is wrong with them; a status."""
        try:
            config = EmbeddedConfig.of(self)
            config.enter()
            if config.print_config:
                cli.print_config(config)
            return cli.check_config(config)
        except ConfigError as error:
            cli.say("error", str(error))
            return error.exit_status
