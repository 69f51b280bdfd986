"""How large, how many and how slow requests and responses may be."""

from typing import Final

from tiamat.config import kinds
from tiamat.config.setting import Section, Setting
from tiamat.protocol.limits import Limits as ProtocolLimits

DEFAULT: Final = ProtocolLimits()


class Limits(Section):
    """Limits"""

    limit_request_line = Setting(
        "--limit-request-line",
        type=kinds.size,
        default=DEFAULT.request_line,
        help="""
            The most bytes of a request line; a longer one gets 414.

            0 leaves only `limit_request_head`.
        """,
    )
    limit_request_fields = Setting(
        "--limit-request-fields",
        type=kinds.count,
        default=DEFAULT.request_fields,
        help="""
            The most header fields of a request; with more it gets 431.

            0 leaves only `limit_request_head`.
        """,
    )
    limit_request_field_size = Setting(
        "--limit-request-field-size",
        "--limit-request-field_size",
        type=kinds.size,
        default=DEFAULT.request_field_size,
        help="""
            The most bytes of one header field; a longer one gets 431.

            0 leaves only `limit_request_head`.
        """,
    )
    limit_request_head = Setting(
        "--limit-request-head",
        type=kinds.size,
        default=DEFAULT.request_head,
        help="""
            The most bytes of a request's whole head; a longer one gets 431.

            0 is no limit.
        """,
    )
    limit_request_body = Setting(
        "--limit-request-body",
        type=kinds.size,
        default=DEFAULT.request_body,
        help="""
            The most bytes of a request's body; a longer one gets 413.

            0 is no limit.
        """,
    )
    limit_connections = Setting(
        "--limit-connections",
        type=kinds.count,
        default=0,
        help="""
            The most open connections of one worker.

            0 is what the limit of open files allows (RLIMIT_NOFILE, less 64 for
            the worker and the application). At the limit the connection that has
            been longest without a complete request is closed.
        """,
    )
    limit_connections_per_ip = Setting(
        "--limit-connections-per-ip",
        type=kinds.count,
        default=0,
        help="""
            The most open connections that one worker takes of one address.

            More are closed at once. Of IPv6 a network of 64 bits counts as one
            address; Unix sockets don't count. Behind a proxy it counts the proxy,
            unless that speaks the PROXY protocol. 0 is no limit.
        """,
    )
    max_queue_time = Setting(
        "--max-queue-time",
        type=kinds.seconds,
        default=0.0,
        help="""
            How long a request may wait inside a worker for its turn, in seconds.

            One that has waited longer gets `503` with `Retry-After` instead of the
            application. 0 switches it off.
        """,
    )
    response_spool_limit = Setting(
        "--response-spool-limit",
        type=kinds.size,
        default=64 * 1024 * 1024,
        help="""
            The most bytes of a response that wait in a file for a slow client.

            64 KiB wait in memory, what is beyond in a file of `tmp_upload_dir`.
            Beyond this limit the application waits for the client.
        """,
    )
    header_timeout = Setting(
        "--header-timeout",
        type=kinds.seconds,
        default=10.0,
        help="""
            How long a request's head may take from its first byte, in seconds.

            Also how long a new connection may stay silent. 0 switches it off.
        """,
    )
    body_timeout = Setting(
        "--body-timeout",
        type=kinds.seconds,
        default=30.0,
        help="""
            How long a request's body may stall between two bytes, in seconds.

            0 switches it off.
        """,
    )
    min_body_rate = Setting(
        "--min-body-rate",
        type=kinds.size,
        default=240,
        help="""
            How many bytes a second a request's body brings at least, on the average.

            A slower one gets 408. The first 10 seconds are free, and only the time
            counts in which the body was waited for: not that in which a streaming
            application doesn't read on. 0 switches it off.
        """,
    )
    write_timeout = Setting(
        "--write-timeout",
        type=kinds.seconds,
        default=30.0,
        help="""
            How long a client may take no byte of its response, in seconds.

            0 switches it off.
        """,
    )
