"""Access lines that machines read."""

import json
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from tiamat.observe.access_json import APPLICATION_TIME, QUEUE_TIME, compile_json

if TYPE_CHECKING:
    from tiamat.protocol.request import Request
    from tiamat.protocol.response import Response

TRACE = b"0af7651916cd43dd8448eb211c80319c"


def entry(
    target: bytes = b"/a%20b?x=1",
    fields: dict[bytes, bytes] | None = None,
    environ: dict[str, Any] | None = None,
    headers: Any = (),
) -> dict[str, Any]:
    """What a line says of a usual request."""
    request = SimpleNamespace(
        method="GET", target=target, version="1.1", fields=fields or {}
    )
    response = SimpleNamespace(status=200, sent=512, headers=headers)
    line = compile_json(3, 2)(
        cast("Request", request),
        cast("Response", response),
        environ,
        ("192.0.2.7", "4711"),
        971211336.5,
        1.234567,
    )
    assert line.isascii()
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_line_has_all_the_keys_that_are_promised() -> None:
    """The table in docs/logs.md, in its order."""
    environ = {QUEUE_TIME: 0.25, APPLICATION_TIME: 0.5, "REMOTE_ADDR": "198.51.100.1"}
    fields = {
        b"user-agent": b"curl/8",
        b"referer": b"http://a/",
        b"x-request-id": b"abc",
        b"traceparent": b"00-" + TRACE + b"-b7ad6b7169203331-01",
    }

    expected = {
        "time": "2000-10-10T20:55:36.500Z",
        "remote_addr": "198.51.100.1",
        "method": "GET",
        "path": "/a%20b",
        "query": "x=1",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes": 512,
        "duration": 1.234567,
        "queue_time": 0.25,
        "application_time": 0.5,
        "request_id": "abc",
        "trace_id": TRACE.decode(),
        "user_agent": "curl/8",
        "referer": "http://a/",
        "pid": os.getpid(),
        "slot": 3,
        "generation": 2,
    }

    found = entry(fields=fields, environ=environ)

    assert expected == found
    assert list(expected) == list(found)


def test_what_is_missing_is_null() -> None:
    """Whoever reads it need not know a word for nothing; no query is an empty one."""
    found = entry(target=b"/")

    names = [name for name, value in found.items() if value is None]
    assert names == [
        *("queue_time", "application_time", "request_id", "trace_id"),
        *("user_agent", "referer"),
    ]
    assert "" == found["query"]
    assert "192.0.2.7" == found["remote_addr"]


def test_what_was_no_request_is_an_entry_too() -> None:
    """With its status, and without what nobody could read."""
    response = SimpleNamespace(status=400, sent=0, headers=())

    line = compile_json(0, 1)(
        None, cast("Response", response), None, ("", ""), 0.0, 0.0
    )

    found = json.loads(line)
    nothing = ("remote_addr", "method", "path", "query", "protocol")
    assert 400 == found["status"]
    assert all(found[name] is None for name in nothing)


def test_a_response_that_never_began_is_an_entry_too() -> None:
    """Its client went before; nothing of it was sent."""
    request = SimpleNamespace(method="GET", target=b"/", version="1.1", fields={})
    response = SimpleNamespace(status=0, headers=())

    line = compile_json(0, 1)(
        cast("Request", request), cast("Response", response), None, ("", ""), 0.0, 0.0
    )

    assert (0, 0) == (json.loads(line)["status"], json.loads(line)["bytes"])


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b'"} {"status": 200', '"} {"status": 200'),
        (b"a\\b\x01\r\n", "a\\b\x01\r\n"),
        ("ü\u2028".encode(), "ü\u2028"),
        (b"\xff", "\ufffd"),
    ],
)
def test_nothing_that_a_client_sends_ends_its_text(sent: bytes, expected: str) -> None:
    """A line cannot be forged, and stays JSON."""
    found = entry(fields={b"user-agent": sent}, target=b"/" + sent + b"?" + sent)

    assert expected == found["user_agent"]
    assert found["path"].startswith("/" + expected.partition("?")[0])
    assert expected == found["query"]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01",
        b"00-" + TRACE + b"-" + b"0" * 16 + b"-01",
        b"ff-" + TRACE + b"-b7ad6b7169203331-01",
        b"00-" + TRACE.upper() + b"-b7ad6b7169203331-01",
        b"00-" + TRACE + b"-b7ad6b7169203331",
        b"00-" + TRACE + b'"-b7ad6b7169203331-01',
    ],
)
def test_a_traceparent_out_of_order_is_no_trace(header: bytes) -> None:
    """W3C Trace Context, 3.2: such a header is not to be used."""
    assert entry(fields={b"traceparent": header})["trace_id"] is None


def test_later_versions_of_traceparent_may_say_more() -> None:
    """W3C Trace Context, 3.2.4: what is known of them is used."""
    header = b"01-" + TRACE + b"-b7ad6b7169203331-01-what-the-future-will-be"

    assert TRACE.decode() == entry(fields={b"traceparent": header})["trace_id"]


@pytest.mark.parametrize(
    "headers", [[("X-Request-ID", "mine")], [(b"x-request-id", b"mine")]]
)
def test_the_application_s_request_id_counts_more(headers: Any) -> None:
    """It may have made one, and the client is not to choose."""
    found = entry(fields={b"x-request-id": b"theirs"}, headers=headers)

    assert "mine" == found["request_id"]
