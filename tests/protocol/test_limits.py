"""The limits are values, with the defaults that the manual names."""

import dataclasses

import pytest

from tiamat.protocol.limits import Limits


def test_the_defaults_are_those_of_the_manual() -> None:
    """gunicorn's for the head, 64 KiB for all of it, 1 GiB for a body."""
    limits = Limits()

    assert limits.request_line == 4094
    assert limits.request_fields == 100
    assert limits.request_field_size == 8190
    assert limits.request_head == 64 * 1024
    assert limits.request_body == 1024**3


def test_limits_do_not_change() -> None:
    """All connections share one object, so nobody may write to it."""
    limits = Limits()
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits.request_line = 1  # type: ignore[misc]
