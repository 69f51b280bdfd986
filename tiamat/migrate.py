"""``tiamatctl migrate``: what becomes of a site of gunicorn's, setting by setting."""

import contextlib
import io
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from tiamat.config import Config, foreign, gunicorn
from tiamat.config.show import shown
from tiamat.errors import ConfigError
from tiamat.workers import ALIASES

GOOD: Final = ("same", "better", "ours")
"""Verdicts that ask nobody to think."""

VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})")
COMMANDS: Final = re.compile(
    r"^\s*(?:ExecStart=|web:|CMD|ENTRYPOINT|exec)\s*(.*)$", re.MULTILINE
)
SETS: Final = re.compile(r"^\s*Environment=(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Line:
    """What becomes of one setting, and where that is written."""

    name: str
    verdict: str
    words: str
    value: str = ""
    origin: str = ""

    def __str__(self) -> str:
        what = (
            f"{self.name} = {self.value} ({self.origin})" if self.value else self.name
        )
        return f"{self.verdict:<8}  {what}\n          {self.words}"


@dataclass(slots=True)
class Site:
    """
    How gunicorn is called.

    Attributes:
        words: the command line, behind the command.
        cwd: where it is given.
        environ: what is known of its environment.
        unknown: flags that depend on variables of which nothing is known.
    """

    words: list[str]
    cwd: str
    environ: dict[str, str] = field(default_factory=dict)
    unknown: list[Line] = field(default_factory=list)


def site(what: Sequence[str]) -> Site:
    """
    Who shall move: a file, or the words of a command line.

    Raises:
        ConfigError: there is no such file, or no gunicorn in it.
    """
    if len(what) > 1 or " " in what[0]:
        words = list(what) if len(what) > 1 else shlex.split(what[0])
        return called(words, os.getcwd(), {})
    path = os.path.abspath(what[0])
    cwd, name = os.path.split(path)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't read {what[0]}: {error}") from None
    if name.endswith(".py"):
        return Site([f"--config={name}"], cwd)
    environ: dict[str, str] = {}
    for match in SETS.finditer(text):
        pairs = (word.partition("=") for word in shlex.split(match[1]))
        environ.update((variable, value) for variable, _, value in pairs)
    for match in COMMANDS.finditer(text.replace("\\\n", " ")):
        with contextlib.suppress(ConfigError, ValueError):
            return called(split(match[1]), cwd, environ)
    raise ConfigError(f"{what[0]} calls no gunicorn")


def split(text: str) -> list[str]:
    """The words of a command, of a shell's or of Docker's list of them."""
    return shlex.split(text.strip().strip("[]").replace('",', '" '))


def called(words: list[str], cwd: str, environ: dict[str, str]) -> Site:
    """
    The site of this command line.

    Raises:
        ConfigError: gunicorn is not in it.
    """
    for index, word in enumerate(words):
        if os.path.basename(word) == "gunicorn":
            found = Site([], cwd, environ)
            found.words = known(words[index + 1 :], found)
            return found
    raise ConfigError(f"no gunicorn in {shlex.join(words)!r}")


def known(words: Sequence[str], found: Site) -> list[str]:
    """The words with their variables replaced; without those that can't be."""
    environ = {"PORT": "8000", "WEB_CONCURRENCY": "1"} | found.environ

    def value(match: re.Match[str]) -> str:
        return environ.get(match[1] or match[2], match[3]) or match[0]

    kept: list[str] = []
    for word in words:
        text = VARIABLE.sub(value, word)
        if VARIABLE.search(text) is None:
            kept.append(text)
            continue
        found.unknown.append(
            Line(word, "differs", "depends on a variable; look at it.")
        )
        # What it is the value of, if that is a word of its own, goes with it.
        if not word.startswith("-") and kept and kept[-1].startswith("-"):
            kept.pop()
    return kept


def report(found: Site) -> list[Line]:
    """What becomes of each setting that is given."""
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            config = Config.load(found.words, found.environ, found.cwd)
    except ConfigError as error:
        return [*found.unknown, Line("error", "differs", f"{error}.")]
    except SystemExit:
        text = errors.getvalue().partition("\n")[0].removeprefix("tiamat: error: ")
        return [*found.unknown, Line("error", "differs", f"{text}.")]
    rows = gunicorn.rows()
    names = [name for name in config.settings if name in config.origins]
    lines = [line(config, name, rows) for name in names if name != "config"]
    strange = [text for text in config.warnings if "has no effect" not in text]
    return [
        *found.unknown,
        *lines,
        *(Line("warning", "differs", f"{text}.") for text in strange),
    ]


def line(config: Config, name: str, rows: Mapping[str, gunicorn.Row]) -> Line:
    """What becomes of the value that one setting has."""
    value, origin = shown(name, config.values[name]), config.origin(name)
    row = rows.get(name)
    if row is None:
        words = config.settings[name].summary
        return Line(name, "ours", words, value, origin)
    verdict = row.verdict
    if verdict != "same" and is_harmless(config, name):
        verdict = "same"
    return Line(name, verdict, row.words, value, origin)


def is_harmless(config: Config, name: str) -> bool:
    """Whether this value of a setting that may differ means the same there and here."""
    setting = config.settings[name]
    if name == "worker_class":
        name = str(setting.value)
        return setting.value is None or name in ALIASES or bool(foreign.ours_for(name))
    if name == "sendfile":
        return not setting.value
    if name == "keepalive":
        return config.worker_class_str != "sync"
    if name == "umask":
        given = config.given[name]
        return not isinstance(given, str) or given.strip().startswith("0")
    if name == "control_socket":
        return not setting.value
    if name == "loglevel":
        return True  # else it had been refused
    if name == "pre_fork":
        return not config.preload_app
    return bool(setting.value == setting.default)


def migrate(what: Sequence[str]) -> tuple[int, list[Line]]:
    """
    Say what becomes of a site.

    Returns:
        The exit status, 1 if something differs, and a line for each setting.

    Raises:
        ConfigError: it can't be read.
    """
    lines = report(site(what))
    return int(any(one.verdict not in GOOD for one in lines)), lines


def text(status: int, lines: Sequence[Line]) -> str:
    """The report, for people."""
    asks = sum(one.verdict not in GOOD for one in lines)
    last = f"{asks} of {len(lines)} to think of" if status else "nothing differs"
    return "\n".join([*map(str, lines), f"{last}."])


def data(lines: Sequence[Line]) -> list[dict[str, str]]:
    """The report, for programs."""
    return [asdict(one) for one in lines]
