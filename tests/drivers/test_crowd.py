"""How many connections each peer has, and what becomes of one too many."""

import logging
from typing import Any

import pytest

from tiamat.drivers.crowd import Crowd, counted_as
from tiamat.system.scoreboard import TURNED_AWAY, Scoreboard


def crowd(limit: int = 1, now: Any = lambda: 100.0) -> tuple[Crowd, "memoryview[int]"]:
    """A crowd, and the numbers of its worker."""
    counts = Scoreboard(1).take().counts
    return Crowd(limit, counts, logging.getLogger("tests.crowd"), now), counts


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_who_has_an_address_of_ipv6_has_a_network(host: str, peer: str) -> None:
    """Of 64 bits; an address of IPv4 stands for itself, however it is written."""
    assert peer == counted_as(host)


def test_who_leaves_makes_room_once() -> None:
    """However often it is said, and whoever was never counted."""
    many, counts = crowd(limit=2)
    address = "2001:db8::1", 5, 0, 0

    assert [True, True, False] == [many.admits(who, address) for who in (1, 2, 3)]
    many.leaves(3)
    many.leaves(1)
    many.leaves(1)
    assert [True, False] == [many.admits(who, address) for who in (4, 5)]
    assert many.admits(6, ("192.0.2.1", 5))
    assert 2 == counts[TURNED_AWAY]


def test_unix_peers_are_not_counted() -> None:
    """Whoever may open the socket may open many."""
    many, _ = crowd()

    assert all(many.admits(who, "") for who in range(5))


def test_a_flood_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """With how many there were since."""
    times = [100.0]
    many, _ = crowd(now=lambda: times[0])
    for who in range(5):
        many.admits(who, ("192.0.2.1", 5))
    times[0] = 161.0
    many.admits(9, ("192.0.2.1", 5))

    texts = [record.getMessage() for record in caplog.records]
    assert [" 1 closed", " 4 closed"] == [
        t.split(":")[1].split(" at")[0] for t in texts
    ]
