"""
gunicorn's settings that Tiamat does not have yet, with their flags.

Whoever comes from gunicorn hears that we know what is meant, and that it is not
done, instead of "unknown setting".
"""

from typing import Final

FLAGS: Final[dict[str, tuple[str, ...]]] = {}

NAMES: Final = {flag: name for name, flags in FLAGS.items() for flag in flags}

WORDS: Final = "is a gunicorn setting that Tiamat does not have yet"

FATAL: Final[dict[str, str]] = {}
"""Those that can't be left out with a warning, and what to do instead."""


def complaint(name: str, shown: str) -> str:
    """What is wrong with a setting, *shown* as it was written, and the cure."""
    return f"{shown} {WORDS}; {FATAL.get(name, 'leave it out')}"
