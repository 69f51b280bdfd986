"""The kind of the setting ``helpers``: names, and what runs under them."""

import re
import shlex
from typing import Final

from tiamat.config.kinds import to_mapping
from tiamat.config.setting import Kind

NAME: Final = re.compile(r"[A-Za-z_][\w.-]*")
"""Of a helper: never a number, which would be the slot of a worker."""

FUNCTION: Final = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")


def to_helpers(value: object) -> dict[str, str]:
    """Commands and functions, by name."""
    helpers = to_mapping(value)
    for name, what in helpers.items():
        if not NAME.fullmatch(name):
            raise ValueError(
                f"names a helper {name!r}; a name is a letter, and letters, digits,"
                " points and hyphens behind it"
            )
        if not isinstance(what, str) or not what.strip():
            raise ValueError(
                f"says no command for {name}; write it in quotes, or module:function"
            )
        try:
            command(what)
        except ValueError as error:
            raise ValueError(f"has a command for {name} with {error}") from None
    return helpers


def command(what: str) -> list[str]:
    """
    The words of a command; none if *what* is ``module:function``.

    Raises:
        ValueError: a quotation has no end.
    """
    return [] if FUNCTION.fullmatch(what.strip()) else shlex.split(what)


helpers = Kind(to_helpers, "DICT")
