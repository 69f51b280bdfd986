"""``wsgi.input`` over a body that is complete, and over one on its way."""

import io
import tempfile

import pytest

from tiamat.gateways.wsgi_input import (
    BodyError,
    BodyRefused,
    BodyTimeout,
    ClientDisconnected,
    StreamedInput,
    complete_input,
)
from tiamat.protocol.errors import BodyTooLarge
from tiamat.protocol.request import Body, Request


def test_chunks_in_memory_are_read_as_one_file() -> None:
    """
    Lines and reads go across the chunks that the body came in.
    """
    body = Body()
    for chunk in (b"one\ntw", b"o\nthree"):
        body.put(chunk)
    file = complete_input(body)

    assert file.readline() == b"one\n"
    assert file.readline(2) == b"tw"
    assert file.read(3) == b"o\nt"
    assert file.read(-1) == b"hree"
    assert file.read() == b""


def test_a_spooled_body_is_its_file() -> None:
    """
    What outgrew memory is read from the file that the driver put it into.
    """
    body = Body()
    with tempfile.TemporaryFile() as file:
        body.file = file

        assert complete_input(body) is file


class Source:
    """A request whose body comes in these chunks, one for each time it is asked for."""

    def __init__(self, *chunks: bytes, broken: bool = False) -> None:
        self.request = Request("POST", b"/", "1.1", [], {}, b"")
        self.request.complete = False
        self.chunks = list(chunks)
        self.broken = broken
        self.asked = 0
        self.file = StreamedInput(self.request, self.more)

    def more(self) -> None:
        self.asked += 1
        if self.chunks:
            body = self.request.body = self.request.body or Body()
            body.put(self.chunks.pop(0))
        elif self.broken:
            raise ClientDisconnected("gone")
        self.request.complete = not self.chunks and not self.broken


def test_a_body_on_its_way_is_asked_for_when_it_is_read() -> None:
    """
    Not before, and not further than it is read.
    """
    source = Source(b"ab", b"cd", b"ef")
    before = source.asked
    first = source.file.read(1)

    assert (0, b"a", 1) == (before, first, source.asked)
    assert b"bcd" == source.file.read(3)
    assert 2 == source.asked
    assert b"ef" == source.file.read()
    assert b"" == source.file.read()
    assert b"" == source.file.read(10)


def test_lines_go_across_what_came() -> None:
    """
    Each has its end, but perhaps the last; a size cuts one.
    """
    source = Source(b"one\ntw", b"o\n\nth", b"ree")

    assert b"on" == source.file.readline(2)
    assert b"e\n" == source.file.readline()
    assert [b"two\n", b"\n", b"three"] == list(source.file)
    assert [] == source.file.readlines()


def test_it_is_a_file_as_others_are() -> None:
    """
    It can be wrapped, read into memory, and read as it comes.
    """
    memory = bytearray(3)

    assert 3 == Source(b"ab", b"cd").file.readinto(memory)
    assert b"abc" == memory
    assert b"ab" == Source(b"ab", b"cd").file.read1()
    text = io.TextIOWrapper(Source(b"a\n", b"b").file)  # type: ignore[type-var]
    assert "a\nb" == text.read()
    assert [b"a\n", b"b"] == Source(b"a\n", b"b").file.readlines()


def test_a_body_that_breaks_off_raises() -> None:
    """
    What came can be read; the rest is an OSError with a status.
    """
    file = Source(b"ab", broken=True).file

    assert b"ab" == file.read(2)
    with pytest.raises(OSError, match="gone") as caught:
        file.read(1)
    assert isinstance(caught.value, BodyError)
    assert 400 == caught.value.status
    assert 413 == BodyRefused(BodyTooLarge("too large")).status
    assert 408 == BodyTimeout.status


def test_a_body_without_bytes_ends_at_once() -> None:
    """
    A chunked body may be empty.
    """
    source = Source()
    source.request.complete = True

    assert b"" == source.file.read()
    assert b"" == source.file.readline()
