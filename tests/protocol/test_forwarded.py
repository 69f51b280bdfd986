"""Whom to believe about the client."""

import pytest

from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.forwarded import Trust

SECURE = {"X-FORWARDED-PROTO": "https", "X-FORWARDED-SSL": "on"}


@pytest.mark.parametrize(
    ("networks", "peer", "trusted"),
    [
        (["127.0.0.1"], "127.0.0.1", True),
        (["127.0.0.1"], "127.0.0.2", False),
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["::1"], "::1", True),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["*"], "192.0.2.1", True),
        ([], "127.0.0.1", False),
        ([], "", True),
    ],
)
def test_only_named_peers_are_believed(
    networks: list[str], peer: str, trusted: bool
) -> None:
    """
    Addresses, networks, everybody; a Unix socket's peer has no address.
    """
    trust = Trust(networks, SECURE)

    assert trusted is trust.trusted(peer)
    assert trusted is trust.trusted(peer)


@pytest.mark.parametrize(
    ("fields", "scheme"),
    [
        ({}, None),
        ({b"x-forwarded-proto": b"https"}, "https"),
        ({b"x-forwarded-proto": b"http"}, "http"),
        ({b"x-forwarded-proto": b"https", b"x-forwarded-ssl": b"on"}, "https"),
    ],
)
def test_the_scheme_is_what_the_proxy_says(
    fields: dict[bytes, bytes], scheme: str | None
) -> None:
    """
    The value that means https does; any other means http.
    """
    assert scheme == Trust([], SECURE).scheme(fields)


def test_a_contradiction_is_refused() -> None:
    """
    Two fields that say different things are 400: one of them is forged.
    """
    fields = {b"x-forwarded-proto": b"https", b"x-forwarded-ssl": b"off"}
    with pytest.raises(ProtocolError):
        Trust([], SECURE).scheme(fields)
