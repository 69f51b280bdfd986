"""What connections need."""

import logging

import pytest

from tiamat.drivers.service import Service, Timeouts, over_http
from tiamat.protocol.headers import Names
from tiamat.protocol.http1 import Connection
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser_httptools import Parser
from tiamat.protocol.uwsgi import UwsgiConnection


def test_every_wait_has_a_bound() -> None:
    """
    By default no client keeps us waiting for ever, whatever it waits with.
    """
    timeouts = Timeouts()

    assert all(
        0 < seconds < 60
        for seconds in (
            timeouts.header, timeouts.body, timeouts.write, timeouts.keepalive,
            timeouts.linger,
        )
    )  # fmt: skip


@pytest.mark.parametrize(("size", "seconds"), [(0, 10), (2400, 10), (24_000, 100)])
def test_a_body_may_take_as_long_as_its_size_says(size: int, seconds: float) -> None:
    """240 bytes a second, and ten seconds whatever it is."""
    assert seconds == Timeouts().allowed(size)


def test_a_service_may_be_had_over_http() -> None:
    """For the worker's own request, whatever its clients speak."""
    service = Service(
        log=logging.getLogger("tests"), limits=Limits(), names=Names("drop"),
        parser=Parser, timeouts=Timeouts(), protocol=UwsgiConnection,
    )  # fmt: skip
    changed = over_http(service)

    assert (Connection, UwsgiConnection) == (changed.protocol, service.protocol)
    assert changed.limits is service.limits
