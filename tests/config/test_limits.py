"""How large, how many and how slow requests and responses may be."""

import pytest

from tiamat.config import Config
from tiamat.protocol.limits import Limits


@pytest.mark.parametrize(
    ("setting", "limit"),
    [
        ("limit_request_line", "request_line"),
        ("limit_request_fields", "request_fields"),
        ("limit_request_field_size", "request_field_size"),
        ("limit_request_head", "request_head"),
        ("limit_request_body", "request_body"),
    ],
)
def test_defaults_are_those_of_the_protocol(setting: str, limit: str) -> None:
    """They stand there once, with their reasons."""
    assert Config().values[setting] == getattr(Limits(), limit)


def test_sizes_may_have_units() -> None:
    """Nobody counts the zeros of a gigabyte."""
    assert Config(limit_request_body="2G").limit_request_body == 2 << 30


def test_slow_clients_have_deadlines_by_default() -> None:
    """Head, body and response: none may take for ever."""
    config = Config()

    found = (config.header_timeout, config.body_timeout, config.write_timeout)
    assert found == (10, 30, 30)
