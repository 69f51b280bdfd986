"""Variables that settings put into the environment of the application."""

import os
import re
import shlex
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tiamat.config.config import Config

LINE: Final = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)\s*=(.*)")


def variables(config: "Config") -> dict[str, str]:
    """
    What ``env_file`` and ``raw_env`` say, the latter stronger.

    What the environment had already is stronger than the file, as for uvicorn.

    Raises:
        ConfigError: the file can't be read.
    """
    found = {n: v for n, v in from_file(config).items() if n not in os.environ}
    pairs = (variable.partition("=") for variable in config.raw_env)
    return found | {name: value for name, _, value in pairs}


def from_file(config: "Config") -> dict[str, str]:
    """
    The variables in ``env_file``.

    Raises:
        ConfigError: it can't be read.
    """
    if config.env_file is None:
        return {}
    path = os.path.join(config.sources.cwd, config.env_file)
    found, number = {}, 0
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                number += 1
                text = line.strip()
                if text and not text.startswith("#"):
                    name, value = variable(text)
                    found[name] = value
    except OSError as error:
        config.refuse("env_file", f"can't be read: {error.strerror}")
    except ValueError as error:
        where = f", line {number}" if not isinstance(error, UnicodeError) else ""
        config.refuse("env_file", f"can't be read{where}: {error}")
    return found


def variable(line: str) -> tuple[str, str]:
    """
    The variable of one line: ``NAME=value``, ``export NAME="a value"  # why``.

    Raises:
        ValueError: it is none.
    """
    match = LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"{line!r} is no NAME=VALUE")
    name, value = match[1], match[2].strip()
    if value[:1] in ("'", '"'):
        words = shlex.split(value, comments=True)
        return name, words[0] if words else ""
    return name, re.split(r"\s#", value, maxsplit=1)[0].rstrip()
