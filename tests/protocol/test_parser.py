"""Parsers are interchangeable: they make the same calls in the same order."""

from typing import Any

import pytest
from protocol.wire import PARSERS

from tiamat.protocol.parser import BODY, CHUNKS, HEAD, Reading

HEADS = {
    HEAD: b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n",
    BODY: b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
    CHUNKS: b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
}

BODIES = {
    HEAD: [],
    BODY: [b"ab", b"c"],
    CHUNKS: [b"2\r\nab", b"\r\n", b"1;x\r\nc\r\n", b"0\r\nX-T: d\r\n\r\n"],
}

EXPECTED = {
    HEAD: ["X-A=b"],
    BODY: ["Content-Length=3", "body ab", "body c"],
    CHUNKS: ["Transfer-Encoding=chunked", "body ab", "body c", "X-T=d"],
}


class Notes:
    """Notes what a parser calls."""

    def __init__(self) -> None:
        self.reading = HEAD
        self.upgrades = False
        self.calls: list[str] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.calls.append(f"{name.decode()}={value.decode()}")

    def on_body(self, data: bytes) -> None:
        self.calls.append(f"body {data.decode()}")

    def on_chunk_header(self) -> None:
        self.calls.append("chunk")

    def on_chunk_complete(self) -> None:
        self.calls.append("end")


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("reading", [HEAD, BODY, CHUNKS])
def test_all_parsers_make_the_same_calls(parser: Any, reading: Reading) -> None:
    """A head first, whole; then what the rules for bodies have found in it."""
    notes = Notes()
    feed = PARSERS[parser](notes).feed_data
    feed(HEADS[reading])
    notes.reading = reading
    for piece in BODIES[reading]:
        feed(piece)

    assert ["Host=a", *EXPECTED[reading]] == [
        call for call in notes.calls if call not in ("chunk", "end")
    ]
    if reading is CHUNKS:
        behind = notes.calls[notes.calls.index("body c") + 1 :]

        assert "end" == behind[-1]
        assert "chunk" in behind
