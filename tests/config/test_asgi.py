"""What concerns ASGI applications alone."""

from tiamat.config import Config


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
