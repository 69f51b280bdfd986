"""What kinds of settings say of wrong values."""

from typing import Any

import pytest

from tiamat.config.setting import Kind


def complaint(kind: Kind[Any], written: object) -> str:
    """The end of the sentence that says what is wrong, and what to write."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the text is looked at
        kind.convert(written)
    return str(caught.value)
