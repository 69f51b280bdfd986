"""The settings of TLS."""

import ssl
from typing import Any

import pytest

from tiamat.config import Config
from tiamat.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "certificates"),
    [
        ("a.pem", [("a.pem", None, ())]),
        (["a.pem", ("b.crt", "b.key")], [("a.pem", None, ()), ("b.crt", "b.key", ())]),
        (
            {"a.example": ("a.crt", "a.key"), "*.b": "b.pem"},
            [("a.crt", "a.key", ("a.example",)), ("b.pem", None, ("*.b",))],
        ),
    ],
)
def test_certificates_are_one_or_several(
    value: Any, certificates: list[tuple[str, str | None, tuple[str, ...]]]
) -> None:
    """The first is for who asks for a name that none has."""
    config = Config(certfile=value, ca_certs="ca.pem")
    names = [name for cert, key, _ in certificates for name in (cert, key) if name]

    assert certificates == config.certificates
    assert [*names, "ca.pem"] == config.tls_files
    assert config.is_ssl
    assert "https" == config.scheme


def test_without_certificates_there_is_no_tls() -> None:
    """As ever."""
    config = Config()

    assert not config.is_ssl
    assert [] == config.certificates
    assert [] == config.tls_files
    assert "http" == config.scheme


def test_a_hook_is_enough_for_tls() -> None:
    """Who asks for TLS in any way must not be served in plain text."""
    assert Config(ssl_context=lambda config, factory: None).is_ssl


@pytest.mark.parametrize(
    ("value", "number"),
    [("required", 2), ("CERT_OPTIONAL", 1), (ssl.CERT_REQUIRED, 2), ("0", 0)],
)
def test_requirements_are_words_or_numbers(value: object, number: int) -> None:
    """Those of Python's ssl, too."""
    config = Config(certfile="a", ca_certs="b", cert_reqs=value)

    assert number == config.cert_reqs


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"keyfile": "a"}, "has no certificate to it; set certfile"),
        ({"certfile": ["a"], "keyfile": "b"}, "is for one certfile; write pairs"),
        ({"certfile": "a", "cert_reqs": 2}, "needs ca_certs"),
        ({"cert_reqs": 3}, r"is none of none \(0\), optional \(1\), required \(2\)"),
        ({"certfile": "a", "dev_tls": True}, "and certfile: one of them is enough"),
        ({"redirect_http": True}, "has no effect without TLS; set certfile"),
        ({"ca_certs": "a"}, "has no effect without TLS; set certfile"),
        ({"status_bind": "tls://a:1"}, "never has TLS"),
        ({"bind": ["tls://a:1"]}, "has no certificate; set certfile"),
        ({"certfile": []}, "names no certificate"),
        ({"certfile": {}}, "names no certificate"),
        ({"certfile": [("a", "b", "c")]}, "that is no pair"),
        ({"certfile": [7]}, "has an int where a path"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    values: dict[str, Any], words: str
) -> None:
    """With the cure."""
    with pytest.raises(ConfigError, match=words):
        Config(**values)


def test_a_version_is_taken_with_a_warning() -> None:
    """gunicorn's setting has had no effect for long."""
    config = Config(certfile="a", ssl_version=2)

    assert "TLS 1.2 is the least" in config.warnings[0]
