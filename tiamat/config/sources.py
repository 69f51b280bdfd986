"""
Where settings come from: environment, configuration file, command lines.

Later sources win: the defaults that the environment replaces, the configuration
file, TIAMAT_CMD_ARGS, the command line. A list that is given twice is replaced,
not extended, as in gunicorn.
"""

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final, NamedTuple, TypeAlias

from tiamat.config import kinds
from tiamat.config.files import ConfigFile, read_config_file
from tiamat.config.setting import Setting
from tiamat.errors import ConfigError

ARGUMENTS: Final = ("TIAMAT_CMD_ARGS", "GUNICORN_CMD_ARGS")
"""The first one that is set is read as a command line."""

UNSET: Final = (
    *(kinds.switch, kinds.user, kinds.group, kinds.text, kinds.path),
    *(kinds.paths, kinds.words, kinds.networks, kinds.addresses, kinds.variables),
)
"""Kinds of which a file may say None for a setting that it leaves alone."""

Settings: TypeAlias = Mapping[str, Setting[Any]]


class Given(NamedTuple):
    """What somebody wrote for a setting, and where."""

    name: str
    value: object
    origin: str


@dataclass(slots=True)
class Sources:
    """
    The command line, environment and directory that a command was given in.

    Or, if there was none, what a program has said of the server in it: settings are
    *embedded* by an *embedder*, and *application* may be an object; or a *loader*
    makes one in each worker.

    Attributes, after ``read``:
        app: the application that the command line names.
        warnings: what a person should hear though it is no error.
        path: where the configuration file is; empty if there is none.
        modules: what that file imported: names to path and mtime.
    """

    arguments: Sequence[str]
    environ: Mapping[str, str]
    cwd: str
    embedded: Mapping[str, object] | None = None
    application: object = None
    loader: Callable[[], object] | None = None
    embedder: str = "serve()"
    app: str | None = None
    path: str = ""
    warnings: list[str] = field(default_factory=list)
    modules: dict[str, tuple[str, float]] = field(default_factory=dict)

    @property
    def names_application(self) -> bool:
        """Whether the application is known by name only."""
        return self.application is None and self.loader is None

    def again(self) -> "Sources":
        """The same, not yet read."""
        return Sources(
            self.arguments, self.environ, self.cwd, self.embedded, self.application
        )

    def read(self, settings: Settings) -> Iterator[Given]:
        """
        What all sources say, the weakest first.

        Raises:
            ConfigError: a source can't be read.
            SystemExit: wrong usage of the command line.
        """
        if self.embedded is not None:
            yield from self.read_embedded(settings, self.embedded)
            return
        from tiamat.config import flags  # argparse; who embeds us does without

        known = list(settings.values())
        line = flags.parse(known, self.arguments, "")
        variable = next((name for name in ARGUMENTS if name in self.environ), "")
        from_environ = flags.parse(known, self.words(variable), variable)
        self.app = line.app
        flags.take_port(line, self.arguments)
        if from_environ.app is not None:
            self.warnings.append(
                f"{variable}: the application {from_environ.app!r} is ignored there;"
                " name it on the command line, or as wsgi_app in the configuration file"
            )
        yield from self.from_environ(settings)
        wanted = line.given.get("config") or from_environ.given.get("config") or ""
        file = self.read_file(str(wanted))
        if file is not None:
            yield from self.from_file(file, settings)
        for name, value in from_environ.given.items():
            yield Given(name, value, variable)
        for name, value in line.given.items():
            yield Given(name, value, settings[name].flag)

    def read_embedded(
        self, settings: Settings, embedded: Mapping[str, object]
    ) -> Iterator[Given]:
        """What a program says; a file counts only if the program names it."""
        yield from self.from_environ(settings)
        file = self.read_file(str(embedded["config"])) if "config" in embedded else None
        if file is not None:
            yield from self.from_file(file, settings)
        for name, value in embedded.items():
            yield Given(name, value, self.embedder)

    def words(self, variable: str) -> list[str]:
        """The words of a command line that a variable of the environment holds."""
        text = self.environ.get(variable, "")
        try:
            return shlex.split(text)
        except ValueError as error:
            raise ConfigError(f"{variable}={text!r} can't be read: {error}") from None

    def from_environ(self, settings: Settings) -> Iterator[Given]:
        """The defaults that the environment replaces."""
        for setting in settings.values():
            source = setting.environ
            if source is not None and (text := self.environ.get(source.variable)):
                yield Given(setting.name, source.template.format(text), source.variable)

    def read_file(self, wanted: str) -> ConfigFile | None:
        """Execute the configuration file, where the command was given."""
        if self.cwd not in sys.path:
            sys.path.insert(0, self.cwd)  # it may import what lies beside it
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):  # it is gone; reloads go on
                stack.enter_context(contextlib.chdir(self.cwd))
            file = read_config_file(wanted, self.cwd)
        if file is not None:
            self.path = file.path
            for module, path in file.modules.items():
                self.modules[module] = (path, mtime(path))
        return file

    def from_file(self, file: ConfigFile, settings: Settings) -> Iterator[Given]:
        """The settings in a configuration file; warns of strange names."""
        if callable(file.names.get("load")):
            from tiamat.config import original  # few have it

            where = f"{file.origin('load')}, load()"
            for given in original.meant(original.loaded(file), where):
                yield Given(*given)
        for name, value in file.names.items():
            setting = settings.get(name)
            where = file.origin(name)
            if isinstance(value, ModuleType):
                continue
            if setting is None:
                self.consider_stranger(file, name, settings)
            elif name in file.imported and callable(value) and not setting.kind.code:
                continue  # `from application import reload`
            elif value is None and setting.kind in UNSET:
                continue  # as in gunicorn: nobody has said anything
            elif name == "config":
                self.warnings.append(f"{where}: config has no effect in the file")
            else:
                yield Given(name, value, where)

    def consider_stranger(
        self, file: ConfigFile, name: str, settings: Settings
    ) -> None:
        """Warn of a name that is no setting, if it looks as if it should be one."""
        value, where = file.names[name], file.origin(name)
        if not (name in file.imported or name in file.read or callable(value)):
            import difflib  # seldom, and large

            near = difflib.get_close_matches(name.lower(), settings, 1, 0.75)
            hint = (
                f"did you mean {near[0]}?"
                if near
                else "begin its name with _ if it is a variable of your own"
            )
            self.warnings.append(f"{where}: {name} is no setting; {hint}")


def mtime(path: str) -> float:
    """When the file was last changed; 0 if it is gone."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
