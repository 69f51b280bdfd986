"""Where a chunked body could end."""

import pytest

from tiamat.protocol.chunks import Chunks
from tiamat.protocol.errors import HeadTooLarge

BODY = b"3\r\nabc\r\n0\r\n\r\n"
NEXT = b"GET / HTTP/1.1\r\n\r\n"


def pieces(chunks: Chunks, data: bytes) -> list[bytes]:
    """*data*, cut."""
    found, start = [], 0
    while start < len(data):
        end = chunks.piece_end(data, start)
        found.append(data[start:end])
        start = end
    return found


def test_what_follows_a_body_is_a_piece_of_its_own() -> None:
    """
    A head behind the end is not in the piece that the parser gets.
    """
    assert [BODY, NEXT] == pieces(Chunks(), BODY + NEXT)


@pytest.mark.parametrize("at", range(1, len(BODY)))
def test_an_end_is_found_however_it_comes(at: int) -> None:
    """
    Cut in two anywhere, the body still ends where it ends.
    """
    chunks = Chunks()
    first = pieces(chunks, BODY[:at])
    second = pieces(chunks, BODY[at:] + NEXT)

    assert [BODY[:at]] == first
    assert [BODY[at:], NEXT] == second


def test_an_end_is_found_byte_by_byte() -> None:
    """
    Of what came only the last three bytes matter.
    """
    chunks = Chunks()
    for at in range(len(BODY)):
        chunks.piece_end(BODY[at : at + 1], 0)

    assert [NEXT, NEXT] == pieces(chunks, NEXT + NEXT)


def test_its_frame_may_cost_only_so_much() -> None:
    """
    64 KiB, and sixteen bytes for each byte of content.
    """
    chunks = Chunks()
    chunks.count(65536, 0)
    chunks.count(16 * 100, 100)

    with pytest.raises(HeadTooLarge):
        chunks.count(1, 100)
