"""All settings, and where the value of each came from."""

import copy
import os
import sys
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import NoReturn

from tiamat.config import application, environment
from tiamat.config.accepted import Accepted
from tiamat.config.asgi import ASGI
from tiamat.config.debugging import Debugging
from tiamat.config.finishing import finish
from tiamat.config.gunicorn_names import GunicornNames
from tiamat.config.hooks import Hooks
from tiamat.config.http2 import HTTP2
from tiamat.config.limits import Limits
from tiamat.config.listening import Listening
from tiamat.config.logs import Logs
from tiamat.config.mechanics import Mechanics
from tiamat.config.processes import Processes
from tiamat.config.protocols import Protocols
from tiamat.config.sources import Sources, mtime
from tiamat.config.tls import TLS
from tiamat.errors import ConfigError
from tiamat.system.private_socket import usual_path


class Config(
    GunicornNames,
    Accepted,
    Debugging,
    Hooks,
    Mechanics,
    Logs,
    ASGI,
    HTTP2,
    Protocols,
    TLS,
    Limits,
    Processes,
    Listening,
):
    """
    The settings; each reads as an attribute, under gunicorn's name.

    ``Config(workers=2)`` has the defaults and these; ``Config.load`` reads all
    sources.

    Attributes:
        app: where the application is, ``module:name``; None if nobody said.
        sources: where ``load`` read them.
        warnings: what a person should hear though it is no error.
        modules: what the configuration file imported: names to path and mtime.
    """

    app: str | None

    def __init__(self, **values: object) -> None:
        self.values = {
            name: copy.copy(setting.default) for name, setting in self.settings.items()
        }
        self.settings = {name: one.of(self) for name, one in self.settings.items()}
        self.origins: dict[str, str] = {}
        self.given: dict[str, object] = {}
        self.sources = Sources((), {}, os.getcwd())
        self.hidden: dict[str, str | None] | None = None
        for name, value in values.items():
            self.put(name, value, f"Config({name}=…)")
        finish(self)

    @classmethod
    def load(
        cls, arguments: Sequence[str], environ: Mapping[str, str], cwd: str
    ) -> "Config":
        """
        Read the settings from all sources.

        Args:
            arguments: the command line, without the command.
            environ: the environment that the command was given in.
            cwd: the directory it was given in.

        Raises:
            ConfigError: something is wrong; the text says what, where and how to
                mend it.
            SystemExit: wrong usage (2), or --help and --version (0).
        """
        config = cls()
        sources = Sources(list(arguments), dict(environ), os.path.abspath(cwd))
        return config.read(sources)

    def read(self, sources: Sources) -> "Config":
        """
        Read the settings from these sources; return this object.

        Raises:
            ConfigError: as for ``load``.
        """
        self.sources = sources
        for given in sources.read(self.settings):
            self.put(*given)
        finish(self)
        return self

    def read_again(self) -> "Config":
        """
        Read the same sources again, into a new object; this process stays as it is.

        ``old.leave(); new.enter()`` then makes the process the new settings'.

        Raises:
            ConfigError: something is wrong.
        """
        entered = self.hidden is not None
        self.leave()
        try:
            config = self.made_again()
        except SystemExit as error:  # usage can't have changed
            raise ConfigError(f"the command line is refused ({error.code})") from None
        finally:
            if entered:
                self.enter()
        config.sources.modules.update(self.modules)  # those are not imported again
        return config

    def made_again(self) -> "Config":
        """A new object of the same sources."""
        return type(self)().read(self.sources.again())

    @property
    def warnings(self) -> list[str]:
        """What a person should hear though it is no error."""
        return self.sources.warnings

    @property
    def modules(self) -> dict[str, tuple[str, float]]:
        """What the configuration file imported: names to path and mtime."""
        return self.sources.modules

    def origin(self, name: str) -> str:
        """Where the value of a setting came from, in words."""
        return self.origins.get(name, "default")

    @property
    def leaves_terminal(self) -> bool:
        """Whether the standard streams are let go of when the server serves."""
        return self.daemon and not self.enable_stdio_inheritance

    @property
    def workers_in_words(self) -> str:
        """How many workers, and of what class if that was said: ``4 sync workers``."""
        kind = self.worker_class
        name = getattr(kind, "__name__", kind)
        named = f"{name} " if name else ""
        return f"{self.workers} {named}worker{'' if self.workers == 1 else 's'}"

    @property
    def scheme(self) -> str:
        """That of addresses in ``bind``, for people."""
        return "tcp" if application.makes_server(self) else super().scheme

    def changed_modules(self) -> list[str]:
        """
        Modules of the configuration file whose files changed since they were read.

        A reload executes the file, but not again what it imports: only a re-exec
        renews those.
        """
        return sorted(
            name for name, (path, then) in self.modules.items() if mtime(path) != then
        )

    # --- Values -------------------------------------------------------------

    def put(self, name: str, value: object, origin: str) -> None:
        """
        Take one value.

        Raises:
            ConfigError: it is none for this setting; the text says why.
        """
        setting = self.settings.get(name)
        if setting is None:
            raise ConfigError(f"{origin}: {name} is no setting")
        try:
            self.values[name] = setting.kind.convert(value)
        except ValueError as error:
            raise ConfigError(complaint(name, value, origin, str(error))) from error
        except Exception as error:  # code of the user's: a factory, an import
            reason = f"fails: {type(error).__name__}: {error}"
            raise ConfigError(complaint(name, value, origin, reason)) from error
        self.origins[name], self.given[name] = origin, value

    def set(self, name: str, value: object) -> None:
        """Set a setting, as hooks do that were written for gunicorn."""
        self.put(name, value, "a hook")

    def refuse(self, name: str, reason: str) -> NoReturn:
        """Raise a ConfigError about the value that a setting has."""
        origin = self.origin(name)
        value = self.given.get(name, self.values[name])
        raise ConfigError(complaint(name, value, origin, reason))

    # --- The process --------------------------------------------------------

    def enter(self) -> None:
        """Make this process one of the settings': directory, path, environment."""
        os.chdir(self.chdir)
        added = [part.strip() for part in (self.pythonpath or "").split(",")]
        directories = [self.chdir, *(os.path.abspath(part) for part in added if part)]
        for directory in reversed(directories):
            if directory not in sys.path:
                sys.path.insert(0, directory)
        wanted = environment.variables(self)
        self.hidden = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)

    def leave(self) -> None:
        """Undo what ``enter`` did to the environment, before other settings come."""
        for name, value in (self.hidden or {}).items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self.hidden = None

    def control_path(self) -> str | None:
        """
        The path of the control socket, if there shall be one.

        Raises:
            ConfigError: there is no usual place for it.
        """
        if not self.control_socket or self.control_socket_disable:
            return None
        if not isinstance(self.control_socket, bool):
            return self.control_socket
        name = self.proc_name or self.app or "tiamat"
        path = usual_path(self.sources.environ, name)
        if path is None:
            self.refuse(
                "control_socket",
                "has no place: neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR is set;"
                " give a path",
            )
        return path


def complaint(name: str, value: object, origin: str, reason: str) -> str:
    """One sentence about a wrong value: where, what and why."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]  # of a flag that may be repeated
    shown = f"{value.__name__}()" if isinstance(value, FunctionType) else repr(value)
    if len(shown) > 120:
        shown = shown[:117] + "…"
    if origin == "default":
        return f"{name} = {shown} {reason}"
    if origin.startswith("-"):
        return f"{origin} {shown} {reason}"
    return f"{origin}: {name} = {shown} {reason}"
