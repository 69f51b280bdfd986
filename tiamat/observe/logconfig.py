"""
Python's own logging configuration: a dictionary, a JSON file, or an INI file.

The names that there are before are gunicorn's.
"""

import json
import os
from collections.abc import Collection
from typing import Any, Final

FORMAT: Final = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
DATE_FORMAT: Final = "[%Y-%m-%d %H:%M:%S %z]"

DEFAULTS: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": ["console"]},
    "loggers": {},
    "formatters": {
        "generic": {
            "format": FORMAT,
            "datefmt": DATE_FORMAT,
            "class": "logging.Formatter",
        }
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "generic",
            "stream": "ext://sys.stdout",
        },
        "error_console": {
            "class": "logging.StreamHandler",
            "formatter": "generic",
            "stream": "ext://sys.stderr",
        },
    },
}
"""What a dictionary may leave out."""


def apply(source: str | dict[str, Any]) -> Collection[str]:
    """
    Configure logging by a dictionary, or by the INI file of that name.

    Returns:
        The loggers that it names, as far as that is known.

    Raises:
        OSError: the file can't be read.
        ValueError: it is no configuration.
    """
    from logging import config  # seldom, and large

    try:
        if isinstance(source, str):
            apply_ini(source)
            return ()
        config.dictConfig(merged(source))
    except OSError:
        raise
    except Exception as error:  # of any kind: handlers are made by name
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise ValueError(" ".join(f"{error}{cause}".split())) from error
    named: Collection[str] = source.get("loggers", ())
    return named


def merged(values: dict[str, Any]) -> dict[str, Any]:
    """
    *values* over the defaults.

    Handlers and formatters by their names: a root logger that nobody has configured
    keeps the handler that it names.
    """
    by_name = {
        part: DEFAULTS[part] | values.get(part, {})
        for part in ("formatters", "handlers")
    }
    return DEFAULTS | values | by_name


def load(path: str) -> dict[str, Any]:
    """The dictionary in a JSON file; raises OSError, ValueError."""
    with open(path, encoding="utf-8") as file:
        values = json.load(file)
    if not isinstance(values, dict):
        raise ValueError(f"{path} has no JSON object")
    return values


def apply_ini(path: str) -> None:
    """Configure by a file in the form of INI; it may use ``%(here)s``, its folder."""
    from logging import config  # seldom, and large

    if not os.path.isfile(path):
        raise FileNotFoundError(2, "No such file or directory", path)
    here = os.path.dirname(os.path.abspath(path))
    places = {"__file__": path, "here": here}
    config.fileConfig(
        path,
        defaults={name: place.replace("%", "%%") for name, place in places.items()},
        disable_existing_loggers=False,
    )
