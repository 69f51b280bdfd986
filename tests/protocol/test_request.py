"""A request's body, as far as it has come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiamat.protocol.framing import CHUNKED
from tiamat.protocol.request import Body, Request


@given(st.lists(st.binary(min_size=1), min_size=1))
def test_what_is_put_in_comes_out_once(chunks: list[bytes]) -> None:
    """In order, in one piece; the size stays, what waits is nothing then."""
    body = Body()
    for chunk in chunks:
        body.put(chunk)
    whole = b"".join(chunks)

    assert len(whole) == body.size == body.waiting
    assert whole == body.take()
    assert len(whole) == body.size
    assert body.waiting == 0
    assert body.chunks == []


@given(st.lists(st.sampled_from([1, 1000, 16_384, 100_000])))
def test_large_chunks_come_out_as_they_went_in(sizes: list[int]) -> None:
    """Piece by piece, in order, and none of them copied; small ones are joined."""
    body = Body()
    chunks = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    for chunk in chunks:
        body.put(chunk)
    pieces = []
    while body.waiting:
        pieces.append(body.take_piece())

    assert b"".join(chunks) == b"".join(pieces)
    assert body.chunks == []
    if sizes and sizes[0] >= 16_384:
        assert pieces[0] is chunks[0]


def test_one_piece_is_not_copied() -> None:
    """The common body comes out as the object that went in."""
    piece = bytes(1000)
    body = Body()
    body.put(piece)

    assert piece is body.take()


def test_a_body_of_tiny_chunks_takes_little_more_than_its_bytes() -> None:
    """
    However many chunks a client makes of its body, few objects wait.
    """
    body = Body()
    for number in range(10_000):
        body.put(b"%02d" % (number % 100))

    assert (True, 20_000) == (len(body.chunks) < 500, body.waiting)
    assert b"00010203" == body.take()[:8]


@pytest.mark.parametrize(
    ("length", "came", "near"),
    [(10, 0, True), (1 << 20, 0, False), (1 << 20, 900_000, True), (CHUNKED, 9, True)],
)
def test_little_that_is_left_of_a_body_is_near_its_end(
    length: int, came: int, near: bool
) -> None:
    """So the connection may go on, though nobody reads the rest."""
    request = Request("POST", b"/", "1.1", [], {}, b"")
    request.complete, request.length, request.body = False, length, Body()
    request.body.put(bytes(came))

    assert near is request.near_end
