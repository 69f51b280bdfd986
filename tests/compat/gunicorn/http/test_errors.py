"""gunicorn's words for what a client can break."""

from typing import Any

import pytest

from tiamat.compat.gunicorn.http import errors
from tiamat.protocol import errors as ours

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, errors.ParseException)
    and kind is not errors.InvalidSchemeHeaders
]


@pytest.mark.parametrize("kind", KINDS)
def test_each_says_what_was_wrong(kind: Any) -> None:
    """With what was found."""
    assert "this" in str(kind("this"))


@pytest.mark.parametrize(
    ("error", "name", "code"),
    [
        (ours.ProtocolError("x"), "InvalidHeader", 400),
        (ours.TargetTooLong("x"), "LimitRequestLine", 414),
        (ours.HeadTooLarge("x"), "LimitRequestHeaders", 431),
        (ours.BodyTooLarge("x"), "InvalidHeader", 413),
        (ours.UnknownTransferCoding("x"), "UnsupportedTransferCoding", 501),
    ],
)
def test_ours_become_gunicorns(error: ours.ProtocolError, name: str, code: int) -> None:
    """With the same status."""
    made: Any = errors.translated(error)

    assert (name, code) == (type(made).__name__, made.code)


def test_a_client_that_went_is_no_parse_error() -> None:
    """But an error of the connection."""
    assert isinstance(errors.NoMoreData(b"GE"), OSError)
    assert "GE" in str(errors.NoMoreData(b"GE"))


def test_contradicting_headers_have_no_argument() -> None:
    """There is nothing to say but that."""
    assert "contradict" in str(errors.InvalidSchemeHeaders())


def test_attributes_have_gunicorns_names() -> None:
    """For handlers that look at them."""
    assert ("x", 5) == (
        errors.InvalidRequestLine("x").req,  # type: ignore[attr-defined]
        errors.LimitRequestLine(9, 5).max_size,
    )
