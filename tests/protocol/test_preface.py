"""The first bytes of a connection."""

from protocol.proxies import V1, V2

from tiamat.protocol.preface import TLS_HANDSHAKE, Preface
from tiamat.protocol.proxy import BEGINNINGS

AUTO = BEGINNINGS["auto"]


def test_a_header_is_taken_and_nothing_behind_it() -> None:
    """What follows is not looked at unless somebody asks."""
    preface = Preface(AUTO)

    assert len(V1) == preface.take(V1 + b"GET")
    assert preface.done
    assert preface.header is not None
    assert -1 == preface.first


def test_the_byte_behind_a_header_is_told_and_not_taken() -> None:
    """It comes with the header or later."""
    at_once = Preface(AUTO, looks=True)
    later = Preface(AUTO, looks=True)

    assert len(V2) == at_once.take(V2 + b"\x16\x03")
    assert (True, TLS_HANDSHAKE) == (at_once.done, at_once.first)
    assert len(V2) == later.take(V2)
    assert not later.done
    assert 0 == later.take(b"G")
    assert (True, ord("G")) == (later.done, later.first)


def test_the_first_byte_may_be_all_that_is_asked() -> None:
    """A TLS port without PROXY headers."""
    preface = Preface(None, looks=True)

    assert 0 == preface.take(b"\x16")
    assert (True, TLS_HANDSHAKE, None) == (preface.done, preface.first, preface.header)


def test_there_may_be_nothing_to_ask() -> None:
    """Then it is done before it begins."""
    assert Preface(None).done
