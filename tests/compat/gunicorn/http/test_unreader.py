"""Where bytes come from that may be put back."""

import socket

import pytest

from tiamat.compat.gunicorn.http.unreader import IterUnreader, SocketUnreader, Unreader


def test_pieces_come_as_they_are() -> None:
    """Without a size."""
    unreader = IterUnreader([b"ab", b"cd"])

    assert [b"ab", b"cd", b""] == [unreader.read() for _ in range(3)]


def test_a_size_is_kept() -> None:
    """Across pieces, but not across the end."""
    unreader = IterUnreader([b"ab", b"cd"])

    assert [b"abc", b"d", b""] == [unreader.read(3) for _ in range(3)]


def test_bytes_are_put_back() -> None:
    """Before what waits."""
    unreader = IterUnreader([b"abcd"])
    unreader.read(2)

    unreader.unread(b"xy")

    assert b"xycd" == unreader.read(4)


def test_what_waits_can_be_taken() -> None:
    """Without asking the source."""
    unreader = IterUnreader([b"abcd"])
    unreader.read(2)

    assert b"cd" == unreader.take_buffered()


def test_a_size_is_a_number() -> None:
    """Nothing else."""
    with pytest.raises(TypeError):
        IterUnreader([]).read("2")  # type: ignore[arg-type]


def test_a_socket_is_a_source() -> None:
    """Up to its end."""
    here, there = socket.socketpair()
    with here:
        there.sendall(b"hello")
        there.close()
        unreader = SocketUnreader(here)

        assert [b"he", b"llo", b""] == [
            unreader.read(2),
            unreader.read(),
            unreader.read(),
        ]


def test_a_base_has_no_source() -> None:
    """A subclass has."""
    with pytest.raises(NotImplementedError):
        Unreader().read()
