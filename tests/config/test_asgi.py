"""What concerns ASGI applications alone."""

import asyncio

import pytest
import uvloop

from tiamat.config import Config
from tiamat.errors import ConfigError


def test_defaults_are_gunicorns_where_it_has_them() -> None:
    """And the pings are those that everybody has."""
    config = Config()

    assert ("auto", "auto") == (config.asgi_loop, config.asgi_lifespan)
    assert config.websocket_max_message_size == 16 << 20
    assert (20, 20) == (config.websocket_ping_interval, config.websocket_ping_timeout)
    assert config.websocket_compression == "on"


def test_compression_may_be_switched_with_a_bool() -> None:
    """In a Python file False is what one writes."""
    assert Config(websocket_compression=False).websocket_compression == "off"


def test_the_fast_loop_is_taken_where_it_is() -> None:
    """Here it is installed; asyncio's own can be asked for."""
    auto = Config().load_loop_factory()()
    plain = Config(asgi_loop="asyncio").load_loop_factory()()
    mine = Config(asgi_loop="asyncio:new_event_loop").load_loop_factory()()

    found = [isinstance(loop, uvloop.Loop) for loop in (auto, plain, mine)]
    for loop in (auto, plain, mine):
        loop.close()

    assert [True, False, False] == found
    assert isinstance(plain, asyncio.SelectorEventLoop)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("no.such:loop", "asgi_loop = 'no.such:loop' can't be imported: No module"),
        ("asyncio:nope", "module 'asyncio' has no attribute 'nope'"),
        ("sys:path", "asgi_loop = 'sys:path' is not a function that makes an event"),
    ],
)
def test_a_loop_that_is_none_is_told(name: str, complaint: str) -> None:
    """At the start of a worker, and by ``--check-config``."""
    with pytest.raises(ConfigError) as caught:
        Config(asgi_loop=name).load_loop_factory()

    assert complaint in str(caught.value)
