"""A request in the hands of a worker's methods."""

from tiamat.compat.held import changed, variable


def test_headers_that_are_others_become_variables() -> None:
    """Those that are as they were are left alone."""
    before = [("A", "1"), ("CONTENT-TYPE", "text/plain")]
    after = [("A", "1"), ("A", "2"), ("CONTENT-TYPE", "text/plain")]

    assert {"HTTP_A": "1,2"} == changed(before, after)


def test_two_headers_have_names_without_a_prefix() -> None:
    """By the gateway interface of old."""
    assert "CONTENT_LENGTH" == variable("Content-Length")
    assert "HTTP_X_MARK" == variable("x-mark")
