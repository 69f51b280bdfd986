"""Status lines from what applications say."""

import pytest

from tiamat.protocol.errors import InvalidResponse
from tiamat.protocol.status import BODILESS, StatusLines


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("200 OK", b"HTTP/1.1 200 OK\r\n"),
        ("200", b"HTTP/1.1 200 \r\n"),
        ("200 ", b"HTTP/1.1 200 \r\n"),
        ("404 Nicht da", b"HTTP/1.1 404 Nicht da\r\n"),
        ("299 \xe9", b"HTTP/1.1 299 \xe9\r\n"),
        ("999 Odd", b"HTTP/1.1 999 Odd\r\n"),
        (404, b"HTTP/1.1 404 Not Found\r\n"),
        (299, b"HTTP/1.1 299 \r\n"),
    ],
)
def test_a_status_gives_its_line(status: str | int, line: bytes) -> None:
    """Text as WSGI has it, a number as ASGI has it."""
    number, found, bodiless = StatusLines()[status]

    assert int(str(status)[:3]) == number
    assert line == found
    assert (number in BODILESS) == bodiless


@pytest.mark.parametrize(
    "status",
    [
        "", "OK", "20", "2000 OK", "200OK", " 200 OK", "200 OK\r\nX: y", "200 \n",
        "200 \0", "99 Low", "1000 High", "\u0662\u0660\u0660 OK", "200 \u20ac",
        "100 Continue", "101 Switching Protocols", 0, 99, 100, 1000, -200, True,
    ],
)  # fmt: skip
def test_no_other_status_goes_out(status: str | int) -> None:
    """Not a split head, not a number that isn't one, not an interim answer."""
    lines = StatusLines()
    with pytest.raises(InvalidResponse):
        lines[status]

    assert status not in lines


def test_the_table_is_bounded() -> None:
    """Phrases that change with each response don't stay."""
    lines = StatusLines()
    for number in range(1000):
        lines[f"200 {number}"]

    assert len(lines) <= 256


def test_statuses_without_a_body() -> None:
    """RFC 9110, 6.4.1."""
    assert {100, 101, 103, 199, 204, 304} <= BODILESS
    assert not {200, 205, 301, 404, 500} & BODILESS
