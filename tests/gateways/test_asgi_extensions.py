"""What the extensions of ASGI say, and how parts of files are framed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tiamat.gateways.asgi_extensions import (
    Part,
    hints,
    pairs,
    part,
    send_part,
    trailers,
)
from tiamat.protocol.request import Request
from tiamat.protocol.response import Response


class Stream:
    """A connection that keeps what is written, and says what it sends of files."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, *buffers: bytes) -> None:
        self.data += b"".join(buffers)

    async def send_file(self, fileno: int, offset: int, count: int) -> None:
        self.data += b"[%d bytes of %d at %d]" % (count, fileno, offset)


def test_fields_may_be_lists_but_not_texts() -> None:
    """Whatever else they are, they come out as pairs of bytes."""
    assert [(b"a", b"b")] == pairs([[b"a", memoryview(b"b")]])

    with pytest.raises(TypeError, match="a header has str, not bytes"):
        pairs([("a", b"b")])


def test_hints_are_links() -> None:
    """One line each."""
    assert [(b"link", b"</a>"), (b"link", b"</b>")] == hints(
        {"links": [b"</a>", b"</b>"]}
    )


def test_trailers_come_at_once() -> None:
    """Two messages of them are not supported, and that is said."""
    assert [(b"a", b"b")] == trailers({"headers": [(b"a", b"b")]})

    with pytest.raises(RuntimeError, match="more than one message"):
        trailers({"headers": [], "more_trailers": True})


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({}, (3, 7)),
        ({"offset": 2}, (2, 8)),
        ({"offset": 2, "count": 4}, (2, 4)),
        ({"offset": 20}, (20, 0)),
    ],
)
def test_a_part_reaches_to_the_end_of_its_file(
    message: dict[str, Any], expected: tuple[int, int], tmp_path: Path
) -> None:
    """It begins where the file stands."""
    path = tmp_path / "ten"
    path.write_bytes(b"0123456789")
    with path.open("rb", buffering=0) as file:
        file.read(3)

        assert (file.fileno(), *expected) == part({"file": file} | message)
        assert (file.fileno(), *expected) == part({"file": file.fileno()} | message)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (8, b"[8 bytes of 5 at 2]"),
        (-1, b"8\r\n[8 bytes of 5 at 2]\r\n0\r\n\r\n"),
    ],
)
def test_a_part_is_framed_as_the_head_says(size: int, expected: bytes) -> None:
    """Of a known length, or a chunk."""
    response = Response(Request("GET", b"/", "1.1", [], {}, b""))
    response.start(200, [], b"", size)
    stream = Stream()
    asyncio.run(send_part(stream, response, Part(5, 2, 8), last=True))

    assert expected == stream.data
