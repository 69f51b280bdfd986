"""The settings of HTTP/2, which is not built yet."""

from pathlib import Path

import pytest
from config.complaints import complaint

from tiamat.config import Config, http2
from tiamat.config.http2 import HTTP2, between


@pytest.mark.parametrize(
    ("written", "value"),
    [("h1", ["h1"]), ("h2,h1", ["h2", "h1"]), ("H2, h1", ["h2", "h1"])],
)
def test_versions_are_listed(written: str, value: list[str]) -> None:
    """gunicorn's way to write them."""
    assert HTTP2.http_protocols.kind.convert(written) == value


@pytest.mark.parametrize(
    ("written", "value"),
    [("Upgrade", "upgrade"), (True, "both"), (False, "off"), ("off", "off")],
)
def test_ways_to_begin_in_clear_text(written: object, value: str) -> None:
    """A yes or no is accepted as well."""
    assert HTTP2.http2_cleartext.kind.convert(written) == value


def test_what_is_none_is_refused() -> None:
    """With what could be written."""
    assert "write h1, h2" in complaint(HTTP2.http_protocols.kind, "h3")
    assert "write h1, h2" in complaint(HTTP2.http_protocols.kind, "")
    assert "none of off, prior-know" in complaint(HTTP2.http2_cleartext.kind, "on it")
    assert "is none of off" in complaint(HTTP2.http2_cleartext.kind, 7)


def test_numbers_have_the_bounds_of_rfc_9113() -> None:
    """Frames of 2^14 to 2^24-1 bytes, windows below 2^31."""
    frame = HTTP2.http2_max_frame_size.kind
    assert frame.convert("16384") == 16384
    assert "whole number of 16384 or more" in complaint(frame, 100)
    assert complaint(frame, 2**24) == "is more than 16777215"
    assert complaint(HTTP2.http2_initial_window_size.kind, 2**31).startswith("is more")
    assert between(1, 3).convert(3) == 3


def test_who_asks_for_it_hears_that_it_is_not_built(tmp_path: Path) -> None:
    """One line per setting that asks; limits alone ask for nothing."""
    (tmp_path / "gunicorn.conf.py").write_text(
        "http_protocols = 'h2,h1'\nhttp2_cleartext = 'upgrade'\n"
        "http2_max_frame_size = 20000\n"
    )

    first, second = Config.load([], {}, str(tmp_path)).warnings

    assert first == f"gunicorn.conf.py, line 1: http_protocols: {http2.WANTED}"
    assert second == f"gunicorn.conf.py, line 2: http2_cleartext: {http2.WANTED}"
    assert http2.wanted(Config().values) == []
