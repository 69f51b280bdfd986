"""
Access lines that machines read: a JSON object each, ``access_log_format = "json"``.

Only ASCII is written, so a line is one line whatever a client sends; bytes that are no
UTF-8 become U+FFFD. ``docs/logs.md`` lists the keys.
"""

import os
import re
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any, Final

from tiamat.observe.access import client_address

if TYPE_CHECKING:
    from tiamat.observe.access import Line
    from tiamat.protocol.request import Request
    from tiamat.protocol.response import Response
    from tiamat.types import Environ

FORMAT: Final = "json"
"""The value of ``access_log_format`` that asks for these lines."""

QUEUE_TIME: Final = "tiamat.queue_time"
"""Key of the environ: how long the request had waited for the application, seconds."""

APPLICATION_TIME: Final = "tiamat.application_time"
"""Key of the environ: how long it was in the application, in seconds."""

NULL: Final = "null"

# W3C Trace Context, 3.2: version, trace-id, parent-id, flags. Version ff is forbidden,
# and a trace-id of zeros is none. Later versions may go on behind the flags.
TRACE: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    rb"(?:-.*)?"
)


def compile_json(slot: int, generation: int) -> "Line":
    """Make a function that writes lines of JSON, in the worker that says so."""
    template = (
        '{"time":"%s","remote_addr":%s,"method":%s,"path":%s,"query":%s,'
        '"protocol":%s,"status":%d,"bytes":%d,"duration":%.6f,"queue_time":%s,'
        '"application_time":%s,"request_id":%s,"trace_id":%s,"user_agent":%s,'
        f'"referer":%s,"pid":{os.getpid()},"slot":{slot},"generation":{generation}}}'
    )
    iso_time = make_iso_time()
    nothing: dict[bytes, bytes] = {}

    def line(
        request: "Request | None",
        response: "Response",
        environ: "Environ | None",
        peer: tuple[str, str],
        began: float,
        seconds: float,
    ) -> str:
        """Hot: one formatting; texts are quoted in C."""
        if request is None:
            fields = nothing
            method = path = query = protocol = NULL
        else:
            fields = request.fields
            method = quoted(request.method)
            raw, _, asked = request.target.partition(b"?")
            path = quoted(raw.decode("utf-8", "replace"))
            query = quoted(asked.decode("utf-8", "replace")) if asked else '""'
            protocol = f'"HTTP/{request.version}"'
        address = client_address(environ, peer)
        times = environ or {}
        return template % (
            iso_time(began),
            quoted(address) if address else NULL,
            method,
            path,
            query,
            protocol,
            response.status,
            getattr(response, "sent", 0),  # of one that was never begun
            seconds,
            number(times.get(QUEUE_TIME)),
            number(times.get(APPLICATION_TIME)),
            request_id(fields, response),
            trace_id(fields.get(b"traceparent")),
            text(fields.get(b"user-agent")),
            text(fields.get(b"referer")),
        )

    return line


def text(value: bytes | None) -> str:
    """A header as JSON."""
    return NULL if value is None else quoted(value.decode("utf-8", "replace"))


def number(value: Any) -> str:
    """A length of time as JSON, if there is one."""
    return f"{value:.6f}" if isinstance(value, float) else NULL


def trace_id(traceparent: bytes | None) -> str:
    """The trace that the request belongs to, or null if the header is not in order."""
    if traceparent is None:
        return NULL
    match = TRACE.fullmatch(traceparent)
    return f'"{match[1].decode()}"' if match else NULL


def request_id(fields: dict[bytes, bytes], response: "Response") -> str:
    """The ``X-Request-ID`` that the application gave, or else that of the request."""
    for name, value in response.headers:
        if len(name) == 12 and name.lower() in ("x-request-id", b"x-request-id"):
            given = (
                value if isinstance(value, str) else value.decode("utf-8", "replace")
            )
            return quoted(given)
    return text(fields.get(b"x-request-id"))


def make_iso_time() -> Callable[[float], str]:
    """A function that writes times, and remembers the last second it wrote."""
    last, prefix = -1, ""

    def iso_time(when: float) -> str:
        """``2026-11-24T10:00:00.123Z``, RFC 3339."""
        nonlocal last, prefix
        second = int(when)
        if second != last:
            from datetime import UTC, datetime  # the master needs none of it

            prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            last = second
        return f"{prefix}.{int((when - second) * 1000):03d}Z"

    return iso_time
