"""Kinds of settings whose value is code: hooks and classes, or their names."""

import inspect
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, TypeAlias

from tiamat.config.kinds import article
from tiamat.config.setting import Kind

Hook: TypeAlias = Callable[..., Any]


def to_class_or_name(value: object) -> type | str:
    """A class, a callable that makes one, or the name by which it is found."""
    if isinstance(value, type):
        return value
    if isinstance(value, str) and value.strip():
        return value.strip()
    if callable(value) and isinstance(made := value(), type):
        return made
    raise ValueError(
        'is neither a class nor the name of one; write "package.module:Class"'
    )


a_class = Kind(to_class_or_name, "NAME|MODULE:CLASS", code=True)


def positional_count(function: Hook) -> tuple[int, int]:
    """The fewest and the most positional arguments that *function* takes."""
    fewest, most = 0, 0
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            most = 99
        elif parameter.kind in (
            parameter.POSITIONAL_ONLY,
            parameter.POSITIONAL_OR_KEYWORD,
        ):
            fewest += parameter.default is parameter.empty
            most += 1
    return fewest, most


def hook(*arguments: str, least: int | None = None) -> Kind[Hook | None]:
    """
    A function of the user's, called with *arguments* at a named moment.

    Args:
        arguments: their names, for the error text and the manual.
        least: it may also take only the first *least* of them; then it is
            wrapped, so that whoever calls it need not know.
    """
    full = len(arguments)
    counts = range(least or full, full + 1)

    def convert(value: object) -> Hook | None:
        if value is None:
            return None
        function = imported(value.strip()) if isinstance(value, str) else value
        if not callable(function):
            raise ValueError(f"is not a function but {article(function)}")
        try:
            fewest, most = positional_count(function)
        except (TypeError, ValueError):  # some built-in functions tell nothing
            return function
        taken = [number for number in counts if fewest <= number <= most]
        if not taken:
            takes = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise ValueError(
                f"takes {takes} argument{'' if takes == '1' else 's'}, but is called"
                f" with {full}: ({', '.join(arguments)})"
            )
        return function if taken[-1] == full else first_only(function, taken[-1])

    return Kind(convert, f"function({', '.join(arguments)})", code=True)


def first_only(function: Hook, number: int) -> Hook:
    """A hook that passes on its first *number* arguments."""

    @wraps(function)
    def shortened(*arguments: object) -> object:
        return function(*arguments[:number])

    return shortened


def imported(name: str) -> object:
    """The object behind a dotted name, ``module.attribute`` or ``module:attribute``."""
    module, _, attribute = name.replace(":", ".").rpartition(".")
    if not module:
        raise ValueError("is not a dotted name; write module.attribute")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as error:
        raise ValueError(f"can't be imported: {error}") from error
    except AttributeError:
        raise ValueError(
            f"can't be imported: module {module!r} has no attribute {attribute!r}"
        ) from None
