"""What an application gets wrong is a line in the log, as loud as it deserves."""

import logging

import pytest

from tiamat.gateways.faults import complain, method_and_path, report
from tiamat.protocol.errors import InvalidResponse
from tiamat.protocol.request import Request
from tiamat.protocol.response import Response

LOG = logging.getLogger("tests.faults")

REQUEST = Request("GET", b"/a?secret", "1.1", [], {}, b"")


def test_the_log_has_no_queries() -> None:
    """They have secrets."""
    assert "GET /a" == method_and_path(REQUEST)


@pytest.mark.parametrize(
    ("error", "cancelled", "gone", "expected"),
    [
        (ValueError(), False, False, (logging.ERROR, "error handling GET /a")),
        (InvalidResponse("x"), False, False, (logging.WARNING, "GET /a: x")),
        (OSError(), False, True, (logging.DEBUG, "GET /a: the client has gone")),
        (OSError(), True, True, (logging.DEBUG, "GET /a: cancelled")),
    ],
)
def test_an_exception_is_as_loud_as_it_is_the_application_s_fault(
    error: BaseException,
    cancelled: bool,
    gone: bool,
    expected: tuple[int, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody has to look at what a client did that went away."""
    with caplog.at_level(logging.DEBUG):
        report(LOG, REQUEST, error, cancelled=cancelled, gone=gone)

    [record] = caplog.records

    assert expected == (record.levelno, record.getMessage())
    assert (expected[0] == logging.ERROR) is bool(record.exc_info)


@pytest.mark.parametrize(
    ("body", "gone", "expected"),
    [
        (b"abcde", False, ["2 bytes beyond Content-Length cut"]),
        (b"ab", False, ["1 bytes short of Content-Length, closing"]),
        (b"ab", True, []),
    ],
)
def test_a_response_that_was_mended_is_told(
    body: bytes, gone: bool, expected: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A body that has another length than its head; a field that is not passed on."""
    response = Response(REQUEST)
    fields = [(b"content-length", b"3"), (b"keep-alive", b"1")]
    response.start(200, fields, b"")
    response.data(body)
    response.end()
    complain(LOG, response, gone=gone)

    assert response.faulty
    assert [
        *(f"GET /a: {line}" for line in expected),
        "GET /a: hop-by-hop header keep-alive not passed on",
    ] == [record.getMessage() for record in caplog.records]
