"""Kinds whose value is code: hooks and classes, or their names."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from tiamat.config.code import a_class, hook, imported


class Thing:
    """A class, and methods of every shape."""

    def method(self, server: object) -> None:
        """One argument when bound."""

    def __call__(self, server: object) -> None:
        """An object that is callable."""


def two(one: object, other: object) -> None:
    """Two arguments."""


def any_number(*arguments: object) -> None:
    """As many as one likes."""


def with_default(one: object, other: object = None) -> None:
    """One or two."""


def keyword_only(one: object, *, other: object = None) -> None:
    """One, and a keyword that has a default."""


@pytest.mark.parametrize(
    "function",
    [
        Thing().method,
        Thing(),
        any_number,
        with_default,
        keyword_only,
        functools.partial(two, 1),
        lambda server: None,
        print,
    ],
)
def test_a_function_that_takes_the_arguments_is_a_hook(
    function: Callable[..., Any],
) -> None:
    """What can be called with one argument can be a hook of one argument."""
    assert function is hook("server").convert(function)


def test_a_hook_may_be_named() -> None:
    """A dotted name, with a point or a colon before the last part."""
    import posixpath

    assert posixpath.basename is hook("server").convert("posixpath.basename")
    assert posixpath.basename is hook("server").convert("posixpath:basename")


def test_no_hook_is_none() -> None:
    """Unset is None, and None is looked at once."""
    assert hook("server").convert(None) is None


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (two, "takes 2 arguments, but is called with 1: (server)"),
        (lambda: None, "takes 0 arguments, but is called with 1: (server)"),
        (lambda a, b, c=1: None, "takes 2 to 3 arguments, but is called with 1"),
        (5, "is not a function but an int"),
        ("posixpath", "is not a dotted name; write module.attribute"),
        ("no_such_module.x", "can't be imported: No module named 'no_such_module'"),
        ("posixpath.nope", "module 'posixpath' has no attribute 'nope'"),
        ("posixpath.sep", "is not a function but a str"),
    ],
)
def test_a_wrong_hook_is_told_with_the_cure(function: object, reason: str) -> None:
    """A hook that could not be called is refused at the start, not at its moment."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the text is looked at
        hook("server").convert(function)

    assert reason in str(caught.value)


@pytest.mark.parametrize("number", [2, 3, 4])
def test_post_request_may_take_its_first_arguments_only(number: int) -> None:
    """gunicorn's rule: two, three or four; whoever calls it passes four."""
    functions: dict[int, Callable[..., Any]] = {
        2: lambda a, b: (a, b),
        3: lambda a, b, c: (a, b, c),
        4: lambda a, b, c, d: (a, b, c, d),
    }
    kind = hook("worker", "req", "environ", "resp", least=2)

    wrapped = kind.convert(functions[number])

    assert wrapped is not None
    assert wrapped(1, 2, 3, 4) == (1, 2, 3, 4)[:number]


def test_post_request_may_not_take_one_argument() -> None:
    """Fewer than two is a mistake."""
    kind = hook("worker", "req", "environ", "resp", least=2)

    with pytest.raises(ValueError, match="takes 1 argument, but is called with 4"):
        kind.convert(lambda a: None)


def test_a_class_is_itself_or_what_a_factory_makes_or_a_name() -> None:
    """The three ways of gunicorn; names are looked up when the class is wanted."""
    assert Thing is a_class.convert(Thing)
    assert Thing is a_class.convert(lambda: Thing)
    assert a_class.convert(" my.module:Class ") == "my.module:Class"
    for wrong in (5, "", None, lambda: 5):
        with pytest.raises(ValueError, match="neither a class nor the name of one"):
            a_class.convert(wrong)


def test_an_import_error_inside_a_module_is_kept() -> None:
    """The cause is there for who looks for it."""
    with pytest.raises(ValueError, match="can't be imported") as caught:
        imported("no_such_module.x")

    assert isinstance(caught.value.__cause__, ImportError)
