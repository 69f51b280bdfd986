"""
All settings, from all sources, and where each value came from.

Later sources win: defaults (some of which the environment may replace), the
configuration file, TIAMAT_CMD_ARGS, the command line. A list that is given twice
is replaced, not extended, as in gunicorn.
"""

import difflib
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from tiamat.config import later
from tiamat.config.debugging import Debugging
from tiamat.config.files import ConfigFile, read_config_file
from tiamat.config.hooks import Hooks
from tiamat.config.limits import Limits
from tiamat.config.listening import Listening
from tiamat.config.logs import Logs
from tiamat.config.mechanics import Mechanics
from tiamat.config.processes import Processes
from tiamat.config.protocols import Protocols
from tiamat.config.setting import Setting
from tiamat.errors import ConfigError

if TYPE_CHECKING:
    from tiamat.observe.log import Log

ARGUMENTS: Final = ("TIAMAT_CMD_ARGS", "GUNICORN_CMD_ARGS")
"""The first one that is set is read as a command line."""


class Config(
    Debugging,
    Hooks,
    Mechanics,
    Logs,
    Protocols,
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
        warnings: what a person should hear though it is no error.
        modules: what the configuration file imported: names to path and mtime.
        config_file: the path of the configuration file that was read.
    """

    def __init__(self, **values: object) -> None:
        self.values = {name: setting.default for name, setting in self.settings.items()}
        self.origins: dict[str, str] = {}
        self.app: str | None = None
        self.warnings: list[str] = []
        self.modules: dict[str, tuple[str, float]] = {}
        self.config_file: str | None = None
        self.arguments: list[str] = []
        self.environ: dict[str, str] = {}
        self.cwd = os.getcwd()
        self.hidden: dict[str, str | None] | None = None
        for name, value in values.items():
            self.put(name, value, f"Config({name}=…)")
        self.finish()

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
        config.arguments, config.environ = list(arguments), dict(environ)
        config.cwd = os.path.abspath(cwd)
        config.read_sources()
        config.finish()
        return config

    def reload(self) -> "Config":
        """
        Read the same sources again, into a new object.

        Raises:
            ConfigError: something is wrong; nothing has changed.
        """
        entered = self.hidden is not None
        self.leave()
        try:
            config = self.load(self.arguments, self.environ, self.cwd)
        except SystemExit as error:  # usage can't have changed
            raise ConfigError(f"the command line is refused ({error.code})") from None
        finally:
            if entered:
                self.enter()
        config.modules = {**self.modules, **config.modules}
        return config

    def origin(self, name: str) -> str:
        """Where the value of a setting came from, in words."""
        return self.origins.get(name, "default")

    # --- Sources ------------------------------------------------------------

    def read_sources(self) -> None:
        """Take the values of all sources, the weakest first."""
        from tiamat.config import flags  # argparse; tests and embedders do without

        known = list(self.settings.values())
        given = flags.parse(known, self.arguments, "")
        variable = next((name for name in ARGUMENTS if name in self.environ), "")
        from_environ = flags.parse(known, self.words(variable), variable)
        self.put_environ(known)
        wanted = given.given.get("config") or from_environ.given.get("config") or ""
        file = self.read_file(str(wanted))
        if file is not None:
            self.put_file(file)
        for name, value in from_environ.given.items():
            self.put(name, value, variable)
        for name, value in given.given.items():
            flag = max(self.settings[name].flags, key=len)
            self.put(name, value, flag)
        self.app = given.app or self.wsgi_app

    def words(self, variable: str) -> list[str]:
        """The words of a command line that a variable of the environment holds."""
        try:
            return shlex.split(self.environ.get(variable, ""))
        except ValueError as error:
            text = self.environ[variable]
            raise ConfigError(f"{variable}={text!r} can't be split: {error}") from None

    def put_environ(self, settings: Sequence[Setting[Any]]) -> None:
        """Take the defaults that the environment replaces."""
        for setting in settings:
            source = setting.environ
            if source is not None and (text := self.environ.get(source.variable)):
                self.put(setting.name, source.template.format(text), source.variable)

    def read_file(self, wanted: str) -> ConfigFile | None:
        """Execute the configuration file; it may import what lies beside it."""
        if self.cwd not in sys.path:
            sys.path.insert(0, self.cwd)
        return read_config_file(wanted, self.cwd)

    def put_file(self, file: ConfigFile) -> None:
        """Take the values of a configuration file, and warn of strange ones."""
        self.config_file = file.path
        for module, path in file.modules.items():
            self.modules[module] = (path, mtime(path))
        for name, value in file.names.items():
            setting = self.settings.get(name)
            if isinstance(value, ModuleType):
                continue
            if setting is None:
                self.consider_stranger(file, name, value)
            elif name in file.imported and is_code(value) and not setting.kind.code:
                continue  # `from application import reload`
            else:
                self.put(name, value, file.origin(name))

    def consider_stranger(self, file: ConfigFile, name: str, value: object) -> None:
        """Warn of a name that is no setting, if it looks as if it should be one."""
        where = file.origin(name)
        if name in later.FLAGS:
            if not value or (name in file.imported and is_code(value)):
                return  # switched off is what we do
            if name in later.FATAL:
                raise ConfigError(f"{where}: {name} {later.WORDS}")
            self.warnings.append(f"{where}: {name} {later.WORDS}")
        elif name not in file.imported and name not in file.read and not is_code(value):
            near = difflib.get_close_matches(name.lower(), self.settings, 1, 0.75)
            hint = (
                f"did you mean {near[0]}?"
                if near
                else "begin its name with _ if it is a variable of your own"
            )
            self.warnings.append(f"{where}: {name} is no setting; {hint}")

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
        self.origins[name] = origin

    def finish(self) -> None:
        """Check what needs more than one value."""
        chdir = os.path.join(self.cwd, self.chdir)
        self.values["chdir"] = os.path.normpath(chdir)
        if not os.path.isdir(chdir):
            raise ConfigError(
                complaint("chdir", chdir, self.origin("chdir"), "is no directory")
            )
        if not (self.max_surge or self.max_unavailable):
            raise ConfigError(
                "max_surge and max_unavailable are both 0, so no worker could ever be"
                " replaced; set one of them to 1"
            )
        if self.capture_output and self.errorlog == "-":
            raise ConfigError(
                complaint(
                    "capture_output",
                    True,
                    self.origin("capture_output"),
                    "needs a file to write to; set errorlog too (--error-logfile)",
                )
            )

    # --- The process --------------------------------------------------------

    def enter(self) -> None:
        """Make this process one of the settings': directory, path, environment."""
        os.chdir(self.chdir)
        added = [part.strip() for part in (self.pythonpath or "").split(",")]
        directories = [self.chdir, *(os.path.abspath(part) for part in added if part)]
        for directory in reversed(directories):
            if directory not in sys.path:
                sys.path.insert(0, directory)
        pairs = [variable.partition("=") for variable in self.raw_env]
        self.hidden = {name: os.environ.get(name) for name, _, _ in pairs}
        for name, _, value in pairs:
            os.environ[name] = value

    def leave(self) -> None:
        """Undo what ``enter`` did to the environment, before other settings come."""
        for name, value in (self.hidden or {}).items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self.hidden = None

    def open_log(self) -> "Log":
        """
        The logs that the settings ask for.

        Raises:
            ConfigError: the class can't be imported, or a file not opened.
        """
        from tiamat.observe.log import Log

        kind = self.logger_class
        if kind == "tiamat.observe.log:Log":
            kind = Log
        elif isinstance(kind, str):
            kind = self.find_class("logger_class", kind)
        try:
            log: Log = kind(
                self.errorlog,
                self.accesslog,
                level=self.loglevel,
                capture_output=self.capture_output,
                logconfig=self.logconfig,
                logconfig_dict=self.logconfig_dict or None,
            )
        except (OSError, ValueError) as error:
            raise ConfigError(f"can't open the logs: {error}") from error
        return log

    def find_class(self, name: str, text: str) -> Any:
        """The class that a setting names by ``module:Class``."""
        from tiamat.config.kinds import imported

        try:
            return imported(text)
        except ValueError as error:
            origin = self.origin(name)
            raise ConfigError(complaint(name, text, origin, str(error))) from error


def complaint(name: str, value: object, origin: str, reason: str) -> str:
    """One sentence about a wrong value: where, what and why."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]  # of a flag that may be repeated
    shown = repr(value)
    if len(shown) > 120:
        shown = shown[:117] + "…"
    if origin == "default":
        return f"{name} = {shown} {reason}"
    if origin.startswith("-"):
        return f"{origin} {shown} {reason}"
    return f"{origin}: {name} = {shown} {reason}"


def is_code(value: object) -> bool:
    """Whether *value* is a function or a class."""
    return isinstance(value, FunctionType | type) or callable(value)


def mtime(path: str) -> float:
    """When the file was last changed; 0 if it is gone."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
