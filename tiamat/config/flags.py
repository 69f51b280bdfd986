"""The command line, made of the settings."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import tiamat
from tiamat.config.setting import Kind, Setting
from tiamat.errors import ConfigError

UVICORNS: Final = {
    "--access-log": "--access-logfile=-",
    "--app-dir": "--chdir",
    "--factory": "'module:factory()'",
    "--fd": "--bind fd://N",
    "--host": "--bind HOST:PORT",
    "--http": "--http-parser",
    "--lifespan": "--asgi-lifespan",
    "--limit-concurrency": "--worker-connections",
    "--limit-max-requests": "--max-requests",
    "--loop": "--asgi-loop",
    "--port": "--bind HOST:PORT",
    "--ssl-ca-certs": "--ca-certs",
    "--ssl-cert-reqs": "--cert-reqs",
    "--ssl-certfile": "--certfile",
    "--ssl-ciphers": "--ciphers",
    "--ssl-keyfile": "--keyfile",
    "--timeout-graceful-shutdown": "--graceful-timeout",
    "--timeout-keep-alive": "--keep-alive",
    "--uds": "--bind unix:PATH",
    "--ws-max-size": "--websocket-max-message-size",
    "--ws-per-message-deflate": "--websocket-compression",
    "--ws-ping-interval": "--websocket-ping-interval",
    "--ws-ping-timeout": "--websocket-ping-timeout",
}
"""Flags that people know from uvicorn, and how that is written here."""


@dataclass(frozen=True, slots=True)
class Flags:
    """What a command line said: texts, not yet values."""

    app: str | None
    given: dict[str, object]


class Help(argparse.HelpFormatter):
    """
    Help as wide as the terminal.

    argparse would find the width by ``shutil``, which the master then kept in
    memory with all the compression libraries that it imports.
    """

    def __init__(self, prog: str) -> None:
        try:
            width = os.get_terminal_size().columns
        except OSError:
            width = 80
        super().__init__(prog, max_help_position=26, width=min(width, 100) - 2)


class Parser(argparse.ArgumentParser):
    """A parser whose errors say where the arguments came from."""

    source = ""

    def error(self, message: str) -> NoReturn:
        """Tell what is wrong with the usage, and exit with status 2."""
        where = f"{self.source}: " if self.source else ""
        print(
            f"{self.prog}: error: {where}{message}\n"
            f"Try `{self.prog} --help` for the flags.",
            file=sys.stderr,
        )
        raise SystemExit(2)


def parse(settings: Iterable[Setting[Any]], words: Sequence[str], source: str) -> Flags:
    """
    Read the words of a command line.

    Args:
        settings: their flags are known.
        words: without the name of the command.
        source: where they came from, for the errors; "" is the command line itself.

    Raises:
        SystemExit: with status 2 on any other wrong usage, 0 after --help.
    """
    known = list(settings)
    parser = make_parser(known)
    parser.source = source
    found, rest = parser.parse_known_args(completed(known, list(words)))
    if rest:
        refuse(parser, rest)
    given = {setting.name: getattr(found, setting.name, None) for setting in known}
    return Flags(found.app, {k: v for k, v in given.items() if v is not None})


def take_port(line: Flags, words: Sequence[str]) -> None:
    """
    With a worker script ``-p`` is the port, as it was in the first Tiamat.

    Args:
        line: what was read, which is changed.
        words: of the command line; ``--pid`` is the pid file always.

    Raises:
        ConfigError: it is no port, or another address is asked for as well.
    """
    short = any(word.startswith("-p") for word in words)
    if "script" not in line.given or "pidfile" not in line.given or not short:
        return
    port = str(line.given.pop("pidfile"))
    if not port.isdecimal():
        raise ConfigError(
            f"-p {port!r} is no port, which it is with -s; the pid file is --pid"
        )
    if "bind" in line.given:
        raise ConfigError(f"-p {port} with -s is an address, and so is --bind")
    line.given["bind"] = [f"0.0.0.0:{port}"]


def completed(settings: Iterable[Setting[Any]], words: list[str]) -> list[str]:
    """
    Give each flag its value that may stand without one.

    argparse would take the name of the application for the value.
    """
    kinds = {flag: s.kind for s in settings if s.kind.bare for flag in s.flags}
    complete = []
    for word, following in zip(words, [*words[1:], ""], strict=False):
        kind = kinds.get(word)
        if kind is not None and not is_value(kind, following):
            word = f"{word}={kind.bare}"
        complete.append(word)
    return complete


def is_value(kind: Kind[Any], text: str) -> bool:
    """Whether a setting of this kind could have this value."""
    try:
        kind.convert(text)
    except ValueError:
        return False
    return bool(text)


def make_parser(settings: Sequence[Setting[Any]]) -> Parser:
    """A parser for the flags of *settings*, in their chapters."""
    parser = Parser(
        prog="tiamat",
        usage="%(prog)s [flags] APP",
        formatter_class=Help,
        description="Serve a WSGI or ASGI application: %(prog)s module:name",
    )
    parser.add_argument(
        "app",
        metavar="APP",
        nargs="?",
        help="the application: module, module:name or module:factory('x')",
    )
    parser.add_argument(
        "-v", "--version", action="version", version=f"%(prog)s {tiamat.__version__}"
    )
    groups: dict[type, argparse._ArgumentGroup] = {}
    for setting in settings:
        if setting.flags:
            chapter = setting.chapter
            if chapter not in groups:
                groups[chapter] = parser.add_argument_group(chapter.__doc__)
            add_flag(groups[chapter], setting)
    return parser


def add_flag(group: "argparse._ArgumentGroup", setting: Setting[Any]) -> None:
    """Make the flags of one setting known; what nobody gives stays None."""
    help_text = setting.summary.replace("%", "%%").replace("`", "'")
    if setting.kind.takes == "nothing":
        group.add_argument(
            *setting.flags,
            dest=setting.name,
            action="store_const",
            const=not setting.default,
            help=help_text,
        )
    else:
        group.add_argument(
            *setting.flags,
            dest=setting.name,
            action="append" if setting.kind.takes == "values" else "store",
            metavar=setting.kind.metavar,
            help=help_text,
        )


def refuse(parser: Parser, rest: Sequence[str]) -> NoReturn:
    """Tell what is wrong with the words that nothing was made of."""
    word = next((word for word in rest if word.startswith("-")), rest[0])
    flag = word.partition("=")[0]
    if not flag.startswith("-"):
        parser.error(f"one application is enough: what is {word!r}?")
    if flag in UVICORNS:
        parser.error(f"there is no flag {flag}; write {UVICORNS[flag]}")
    import difflib  # seldom, and large

    near = difflib.get_close_matches(flag, parser._option_string_actions, 1, 0.6)
    hint = f"; did you mean {near[0]}?" if near else ""
    parser.error(f"there is no flag {flag}{hint}")
