"""A head that comes in pieces is found at its end, and nothing comes before it."""

import pytest

from tiamat.protocol.errors import HeadTooLarge, ProtocolError
from tiamat.protocol.limits import Limits
from tiamat.protocol.unfinished import UnfinishedHead

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def cut(*pieces: bytes) -> tuple[bytes, bytes, bytes]:
    """All that a parser sees of these pieces, and what the last of them completes."""
    unfinished = UnfinishedHead(Limits())
    seen, head, behind = b"", b"", b""
    for piece in pieces:
        assert not head
        fed, head, behind = unfinished.cut(piece)
        seen += fed
    return seen, head, behind


@pytest.mark.parametrize("before", [b"", b"\r\n", b"\r\n\r\n"])
def test_wherever_it_is_cut_it_is_whole_in_the_end(before: bytes) -> None:
    """A parser sees each byte once, and none of the empty lines before."""
    wire = before + HEAD
    for at in range(1, len(wire)):
        assert (HEAD, HEAD, b"next") == cut(wire[:at], wire[at:] + b"next")

    assert (HEAD, HEAD, b"") == cut(*(wire[i : i + 1] for i in range(len(wire))))


def test_empty_lines_begin_nothing() -> None:
    """A connection that has sent nothing else is as idle as before."""
    unfinished = UnfinishedHead(Limits())
    unfinished.cut(b"\r\n")

    assert not unfinished.raw

    unfinished.cut(b"\r")

    assert unfinished.raw


def test_empty_lines_end() -> None:
    """Together they may be as long as a head, however they come."""
    unfinished = UnfinishedHead(Limits(request_head=64))
    for _ in range(32):
        unfinished.cut(b"\r\n")

    with pytest.raises(HeadTooLarge, match="endless empty lines"):
        unfinished.cut(b"\r\n")


@pytest.mark.parametrize("wire", [b"\n\r\n\r\n", b"\r\r\n\r\n"])
def test_half_of_a_line_end_is_no_empty_line(wire: bytes) -> None:
    """Parsers differ in what they make of it."""
    with pytest.raises(ProtocolError, match="a bare CR or LF before a request"):
        cut(wire)
