"""``Date``, and the lines that every response has."""

from datetime import UTC, datetime
from email.utils import formatdate

from hypothesis import example, given
from hypothesis import strategies as st

from tiamat.protocol.dates import CommonHeaders, http_date

LAST = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


@given(st.integers(0, LAST))
@example(0)
@example(951782400)  # 29 February 2000
@example(4107542400)  # 1 March 2100, behind no leap day
@example(LAST)
def test_a_date_is_what_the_library_writes(seconds: int) -> None:
    """An IMF-fixdate, without the import of ``email``."""
    assert formatdate(seconds, usegmt=True).encode() == http_date(seconds)


def test_common_lines_change_with_the_second() -> None:
    """Within one they are the same object; the next has another date."""
    common = CommonHeaders(b"tiamat")
    common.refresh(0)
    first = common.lines
    common.refresh(0)

    assert first is common.lines
    assert first == b"Server: tiamat\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"

    common.refresh(1)
    assert b"00:00:01" in common.lines


def test_a_server_may_be_nameless() -> None:
    """Then there is a date only."""
    common = CommonHeaders(b"")
    common.refresh(0)

    assert common.lines == b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"


def test_a_server_may_have_no_calendar() -> None:
    """Then there is a name only, or nothing."""
    common, silent = CommonHeaders(b"a", dated=False), CommonHeaders(b"", dated=False)
    common.refresh(0)
    silent.refresh(0)

    assert (b"Server: a\r\n", b"") == (common.lines, silent.lines)
