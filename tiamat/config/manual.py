"""
The manual's page of settings, made from the settings.

    python -m tiamat.config.manual > docs/settings.md
"""

import sys
from collections.abc import Iterator
from typing import Any, Final

from tiamat.config.config import Config
from tiamat.config.setting import Setting

HEAD: Final = """\
# Settings

<!-- Made by `python -m tiamat.config.manual`; change the help texts, not this. -->

A setting comes from one of these, and later ones win:

1. its default, which for some settings a variable of the environment replaces;
2. the configuration file: `./tiamat.conf.py`, or else `./gunicorn.conf.py`, or what
   `--config` says. It is Python, and each of its names that is a setting sets it;
3. `TIAMAT_CMD_ARGS`, or else `GUNICORN_CMD_ARGS`: flags, as on the command line;
4. the command line.

A list that is given in two of them is replaced, not extended. A name in the file
that is no setting gets a warning, unless the file makes use of it, it begins with
`_`, or it is a function, a class or a module.

`tiamat --print-config APP` shows every value and where it comes from;
`tiamat --check-config APP` finds what is wrong before the server has to. Names,
flags and defaults are gunicorn's wherever gunicorn has the setting.
"""

DEFAULTS: Final = {
    "user": "who gives the command",
    "group": "who gives the command",
    "chdir": "where the command is given",
}
"""Defaults that depend on where and by whom the command is given."""


def pages() -> Iterator[str]:
    """The page, in paragraphs."""
    yield HEAD
    chapter = None
    for setting in Config.settings.values():
        if setting.chapter is not chapter:
            chapter = setting.chapter
            yield f"## {chapter.__doc__}\n"
        yield f"### `{setting.name}`\n"
        yield facts(setting) + "\n"
        yield setting.help + "\n"


def facts(setting: Setting[Any]) -> str:
    """Flags, type, default and variable of one setting, in one line."""
    metavar = setting.kind.metavar
    if setting.flags:
        value = f" {metavar}" if metavar else ""
        flags = ", ".join(f"`{flag}`" for flag in setting.flags[:-1])
        last = f"`{setting.flags[-1]}{value}`"
        parts = [f"{flags}, {last}" if flags else last]
    else:
        parts = ["only in a file" + (f": `{metavar}`" if metavar else "")]
    default = DEFAULTS.get(setting.name) or f"`{setting.default!r}`"
    parts.append(f"default: {default}")
    if setting.environ is not None:
        source = setting.environ
        value = source.template.format(f"${source.variable}")
        parts.append(
            f"or `{value}`, if that variable of the environment is set"
            if source.template == "{}"
            else f"or `{value}`, if `{source.variable}` is set in the environment"
        )
    return "*" + " · ".join(parts) + "*"


def main() -> int:
    """Print the page."""
    sys.stdout.write("\n".join(pages()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
