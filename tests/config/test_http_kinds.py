"""Kinds that only a server of HTTP has: to the value, or to a good error."""

import pytest
from config.complaints import complaint

from tiamat.config import http_kinds
from tiamat.config.setting import Kind


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (http_kinds.asgi_loop, "UVLoop", "uvloop"),
        (http_kinds.asgi_loop, "my.loops:make", "my.loops:make"),
        (http_kinds.http_parser, "fast", "httptools"),
        (http_kinds.http_parser, "Python", "h11"),
        (http_kinds.http_parser, "auto", "auto"),
        (http_kinds.http_parser, "my.parser:Parser", "my.parser:Parser"),
        (http_kinds.headers, {"X-A": "on"}, {"X-A": "on"}),
        (http_kinds.target, "/healthz?full=1", "/healthz?full=1"),
        (
            http_kinds.target,
            "https://shop.example/healthz",
            "https://shop.example/healthz",
        ),
        (http_kinds.statuses, 204, "204"),
        (http_kinds.statuses, "200-299, 401", "200-299,401"),
        (http_kinds.mount, "/shop/", "/shop"),
        (http_kinds.mount, "/", ""),
        (http_kinds.access_format, "%(h)s", "%(h)s"),
    ],
)
def test_a_value_is_understood(
    kind: Kind[object], written: object, value: object
) -> None:
    """What a person may write becomes the value that the program uses."""
    found = kind.convert(written)

    assert value == found
    assert type(value) is type(found)


@pytest.mark.parametrize(
    ("kind", "written", "reason"),
    [
        (
            http_kinds.asgi_loop,
            "trio",
            'is none of auto, asyncio, uvloop, nor "module:factory"',
        ),
        (http_kinds.headers, {"A": 1}, "has no text for 'A' but an int"),
        (
            http_kinds.http_parser,
            "c",
            'is none of auto, httptools, h11, nor "module:Parser"',
        ),
        (
            http_kinds.target,
            "healthz",
            "is neither a path nor a URL; write /healthz, or https://example.org/healthz",
        ),
        (
            http_kinds.target,
            "/two words",
            "is neither a path nor a URL; write /healthz, or https://example.org/healthz",
        ),
        (http_kinds.statuses, "2xx", "names no statuses; write 204, or 200-299,401"),
        (http_kinds.mount, "shop", "is no path; write /shop"),
    ],
)
def test_a_wrong_value_is_told_with_the_cure(
    kind: Kind[object], written: object, reason: str
) -> None:
    """The text ends a sentence: what is wrong with the value, what to write."""
    assert reason == complaint(kind, written)


def test_a_wrong_access_format_is_told_with_the_cure() -> None:
    """The format is compiled at the start, so no request can fail over it."""
    with pytest.raises(ValueError, match=r"is no format of access lines: .* no atom"):
        http_kinds.access_format.convert("%h")
