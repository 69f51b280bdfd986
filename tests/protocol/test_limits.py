"""The limits are values, with the defaults that the manual names."""

import dataclasses

import pytest

from tiamat.protocol.headers import Names
from tiamat.protocol.http1 import Connection
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser_httptools import Parser


def test_the_defaults_are_those_of_the_manual() -> None:
    """gunicorn's for the head, 64 KiB for all of it, 1 GiB for a body."""
    limits = Limits()

    assert limits.request_line == 4094
    assert limits.request_fields == 100
    assert limits.request_field_size == 8190
    assert limits.request_head == 64 * 1024
    assert limits.request_body == 1024**3


def test_limits_do_not_change() -> None:
    """All connections share one object, so nobody may write to it."""
    limits = Limits()
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits.request_line = 1  # type: ignore[misc]


def test_0_is_no_limit() -> None:
    """
    gunicorn's sites say so; it would refuse every request otherwise.
    """
    limits = Limits(
        request_line=0, request_fields=0, request_field_size=0, request_head=0
    )
    connection = Connection(limits, Parser, Names("drop"))
    fields = b"".join(b"A%d: %s\r\n" % (n, b"x" * 9000) for n in range(200))
    head = b"GET /%s HTTP/1.1\r\nHost: a\r\n%s\r\n" % (b"p" * 9000, fields)
    for at in range(0, len(head), 100_000):
        connection.receive_data(head[at : at + 100_000])

    assert connection.error is None
    assert 201 == len(connection.requests[0].headers)
