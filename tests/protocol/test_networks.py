"""Lists of addresses and networks."""

import pytest

from tiamat.protocol.networks import Networks


@pytest.mark.parametrize(
    ("texts", "peer", "there"),
    [
        (["127.0.0.1"], "127.0.0.1", True),
        (["127.0.0.1"], "127.0.0.2", False),
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["2001:db8::/32"], "2001:db8::1", True),
        (["2001:db8::/32"], "10.1.2.3", False),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["*"], "192.0.2.1", True),
        (["127.0.0.1"], "unknown", False),
        (["127.0.0.1"], "127.1", False),
        ([], "127.0.0.1", False),
        ([], "", True),
    ],
)
def test_a_list_has_who_is_named(texts: list[str], peer: str, there: bool) -> None:
    """Addresses, networks, everybody; and a Unix socket's peer, who has no address."""
    networks = Networks(texts)

    assert there is networks.has(peer)
    assert there is networks.has(peer)


def test_what_is_remembered_is_bounded() -> None:
    """Peers name themselves by connecting: no table of ours grows with them."""
    networks = Networks(["10.0.0.0/8"])
    for number in range(3000):
        assert networks.has(f"10.1.{number // 256}.{number % 256}")

    assert len(networks._known) <= 1024


def test_no_network_is_an_error() -> None:
    """Host bits are a slip: another network was meant, or one address."""
    with pytest.raises(ValueError, match="has host bits set"):
        Networks(["10.0.0.1/8"])
