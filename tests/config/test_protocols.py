"""How requests are read, and whom to believe about them."""

import pytest

from tiamat.config import Config
from tiamat.errors import ConfigError


def test_defaults_are_the_safe_ones() -> None:
    """No header with _ gets through, and only this machine's proxies are believed."""
    config = Config()

    assert config.header_map == "drop"
    assert config.forwarded_allow_ips == ["127.0.0.1", "::1"]
    assert config.forwarder_headers == ["SCRIPT_NAME", "PATH_INFO"]
    assert config.secure_scheme_headers["X-FORWARDED-PROTO"] == "https"
    assert config.http_parser == "auto"


def test_a_network_with_host_bits_is_refused() -> None:
    """10.0.0.1/8 is a slip: one address was meant, or another network."""
    with pytest.raises(ConfigError, match="has host bits set"):
        Config(forwarded_allow_ips="10.0.0.1/8")


def test_the_parser_may_be_anybodys() -> None:
    """gunicorn's names, ours, or a class."""
    assert Config(http_parser="fast").http_parser == "httptools"
    assert Config(http_parser="a.b:Parser").http_parser == "a.b:Parser"


@pytest.mark.parametrize(
    ("given", "meant"),
    [(True, "auto"), ("True", "auto"), (False, "off"), ("V2", "v2"), ("auto", "auto")],
)
def test_the_proxy_protocol_was_once_a_switch(given: object, meant: str) -> None:
    """gunicorn's files have True; by default nobody is believed."""
    assert meant == Config(proxy_protocol=given).proxy_protocol
    assert "off" == Config().proxy_protocol
    assert ["127.0.0.1", "::1"] == Config().proxy_allow_ips


def test_an_unknown_version_is_refused() -> None:
    """It would be taken for none, or for all."""
    with pytest.raises(ConfigError, match="is none of off, v1, v2, auto"):
        Config(proxy_protocol="v3")


def test_how_a_proxy_names_the_client_depends_on_the_application() -> None:
    """Unless somebody says it: that is for the worker to know."""
    assert "auto" == Config().forwarded_headers
    with pytest.raises(ConfigError, match="is none of auto, x-forwarded-for"):
        Config(forwarded_headers="x-real-ip")
