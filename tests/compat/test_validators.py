"""gunicorn's functions that check values."""

import os
from pathlib import Path
from typing import Any

import pytest

from tiamat.compat import validators


def three(a: int, b: int, c: int) -> None:
    """A function."""


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (validators.validate_bool, "TRUE", True),
        (validators.validate_bool, None, None),
        (validators.validate_dict, {"a": 1}, {"a": 1}),
        (validators.validate_pos_int, "0o17", 15),
        (validators.validate_string, " x ", "x"),
        (validators.validate_string, None, None),
        (validators.validate_list_string, "a ", ["a"]),
        (validators.validate_list_string, None, []),
        (validators.validate_list_of_files_or_patterns, ["*.x"], ["*.x"]),
        (validators.validate_string_to_list, "a, b", ["a", "b"]),
        (
            validators.validate_string_to_addr_list,
            "::1,10.0.0.0/8",
            ["::1", "10.0.0.0/8"],
        ),
        (validators.validate_class, "a.b", "a.b"),
        (validators.validate_callable(-1), "os.path.join", os.path.join),
        (validators.validate_callable(3), three, three),
        (validators.validate_user, None, os.geteuid()),
        (validators.validate_user, "0", 0),
        (validators.validate_group, None, os.getegid()),
        (validators.validate_chdir, "/", "/"),
        (validators.validate_statsd_address, "h:1", ("h", 1)),
        (validators.validate_ssl_version, 5, 5),
        (validators.validate_reload_engine, "poll", "poll"),
        (validators.validate_header_map_behaviour, "drop", "drop"),
        (validators.validate_proxy_protocol, None, "off"),
        (validators.validate_asgi_loop, None, "auto"),
        (validators.validate_asgi_lifespan, "on", "on"),
        (validators.validate_http_parser, None, "auto"),
        (validators.validate_http_protocols, "h2,h1", ["h2", "h1"]),
        (validators.validate_http2_cleartext, True, "both"),
        (validators.validate_http2_frame_size, "16384", 16384),
    ],
)
def test_what_becomes_of_a_value(check: Any, value: object, expected: object) -> None:
    """Of one that is good."""
    assert expected == check(value)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (validators.validate_bool, "perhaps"),
        (validators.validate_dict, []),
        (validators.validate_pos_int, -1),
        (validators.validate_string, 3),
        (validators.validate_string_to_addr_list, "nowhere"),
        (validators.validate_class, 3),
        (validators.validate_callable(2), three),
        (validators.validate_callable(-1), 3),
        (validators.validate_post_request, three.__name__),
        (validators.validate_chdir, "/no/such/place"),
        (validators.validate_file_exists, "/no/such/file"),
        (validators.validate_reload_engine, "magic"),
    ],
)
def test_what_is_refused(check: Any, value: object) -> None:
    """With an exception of Python's."""
    with pytest.raises((TypeError, ValueError)):
        check(value)


def test_a_file_that_is_there(tmp_path: Path) -> None:
    """Is one that exists."""
    assert str(tmp_path) == validators.validate_file_exists(str(tmp_path))


def test_a_complaint_has_name_and_value() -> None:
    """The kind of a setting only says the rest of the sentence."""
    with pytest.raises(ValueError, match="workers = 'x' is not a whole number"):
        validators.of("workers", "x")
