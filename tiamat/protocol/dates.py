"""The lines that every response has: ``Server`` and ``Date``."""

from typing import Final

_DAYS: Final = (
    b"Thu",
    b"Fri",
    b"Sat",
    b"Sun",
    b"Mon",
    b"Tue",
    b"Wed",
)  # from 1970-01-01
_MONTHS: Final = (
    b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug",
    b"Sep", b"Oct", b"Nov", b"Dec", b"Jan", b"Feb",
)  # fmt: skip


def http_date(seconds: int) -> bytes:
    """
    Write a point in time as an IMF-fixdate.

    Args:
        seconds: Since 1970-01-01 00:00 UTC, not negative.

    Source: RFC 9110, 5.6.7.
    """
    days, rest = divmod(seconds, 86400)
    hour, rest = divmod(rest, 3600)
    minute, second = divmod(rest, 60)
    # Years that begin in March put the leap day last, so that the length of
    # the months before it never changes: 153 days are five of them.
    era, day_of_era = divmod(days + 719468, 146097)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096
    ) // 365
    day_of_year = day_of_era - (
        365 * year_of_era + year_of_era // 4 - year_of_era // 100
    )
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    year = year_of_era + era * 400 + (month >= 10)
    return b"%s, %02d %s %04d %02d:%02d:%02d GMT" % (
        _DAYS[days % 7], day, _MONTHS[month], year, hour, minute, second,
    )  # fmt: skip


class CommonHeaders:
    """
    ``Server`` and ``Date`` as the bytes that go into every head.

    Made once a second by whoever has a clock, and read by everyone.
    """

    __slots__ = ("dated", "lines", "second", "server")

    def __init__(self, server: bytes, *, dated: bool = True) -> None:
        self.server = server
        self.dated = dated
        self.second = -1
        self.lines = b""

    def refresh(self, second: int) -> None:
        """Tell which second (since 1970) it is now."""
        if second != self.second:
            self.second = second
            name = b"Server: %s\r\n" % self.server if self.server else b""
            date = b"Date: %s\r\n" % http_date(second) if self.dated else b""
            self.lines = name + date
