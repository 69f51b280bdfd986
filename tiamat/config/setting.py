"""
A setting, declared once: flags, default, check, manual page and static type.

A chapter of the manual is a ``Section``; its attributes are ``Setting`` objects,
typed by their kind, so that ``config.keepalive`` is a float to the reader and to
the type checker. ``Config`` is all the chapters together.
"""

import copy
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, overload

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """
    What may be written for a setting, and what becomes of it.

    Attributes:
        convert: turns a text (from a flag or the environment) or any object
            (from a configuration file) into the value. Raises ValueError with
            the end of a sentence that begins with the name and the value:
            "is not a number of seconds; write 30, or 0.5".
        metavar: stands for the value in the help and in the manual.
        takes: what its flag takes: one value, a value each time it is
            repeated, or nothing (then the flag means the opposite of the default).
        code: whether functions and classes are sensible values.
        bare: what the flag means without a value; nothing where it needs one.
    """

    convert: Callable[[object], T]
    metavar: str
    takes: Literal["value", "values", "nothing"] = "value"
    code: bool = False
    bare: str = ""


@dataclass(frozen=True, slots=True)
class FromEnviron:
    """A variable of the environment that stands in for the default."""

    variable: str
    template: str = "{}"


class Setting(Generic[T]):
    """
    One setting of a chapter; reads as its value on a ``Config``.

    Args:
        flags: of the command line; none for what only a file can say.
        type: its kind.
        default: the value when nobody says anything.
        help: for people. The first paragraph is one sentence and is the text
            of ``--help``; all of it is in the manual.
        environ: the variable that replaces the default, if there is one.
    """

    name: str
    chapter: type["Section"]
    section: "Section | None" = None

    def __init__(
        self,
        *flags: str,
        type: Kind[T],
        default: T,
        help: str,
        environ: FromEnviron | None = None,
    ) -> None:
        self.flags = flags
        self.kind = type
        self.default = default
        self.help = textwrap.dedent(help).strip()
        self.environ = environ

    def __set_name__(self, owner: "type[Section]", name: str) -> None:
        self.name = name
        self.chapter = owner

    @overload
    def __get__(self, section: None, owner: type) -> "Setting[T]": ...
    @overload
    def __get__(self, section: "Section", owner: type) -> T: ...
    def __get__(self, section: "Section | None", owner: type) -> "Setting[T] | T":
        if section is None:
            return self
        value: T = section.values[self.name]
        return value

    def __set__(self, section: "Section", value: T) -> None:
        # A value without an origin would make `--print-config` lie.
        raise AttributeError(f"settings are read-only: {self.name}")

    def of(self, section: "Section") -> "Setting[T]":
        """This setting as it is known by its value there."""
        bound = copy.copy(self)
        bound.section = section
        return bound

    @property
    def value(self) -> T:
        """
        The value, of a setting that belongs to an object.

        Raises:
            AttributeError: it is the class's, which has none.
        """
        if self.section is None:
            raise AttributeError(f"{self.name} has no value without a Config")
        value: T = self.section.values[self.name]
        return value

    def get(self) -> T:
        """The value, as gunicorn's code asks for it."""
        return self.value

    @property
    def flag(self) -> str:
        """The first of its long flags, or nothing."""
        return next((flag for flag in self.flags if flag.startswith("--")), "")

    @property
    def summary(self) -> str:
        """The first paragraph of the help, on one line."""
        return " ".join(self.help.split("\n\n", 1)[0].split())


class Section:
    """A chapter of settings; its docstring is the title in the manual."""

    values: dict[str, Any]

    settings: dict[str, Setting[Any]]
    """All settings, by name, in the order of the manual; an object's have values."""

    def __init_subclass__(cls) -> None:
        cls.settings = {
            name: value
            for part in reversed(cls.__mro__)
            for name, value in vars(part).items()
            if isinstance(value, Setting)
        }
