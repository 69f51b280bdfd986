"""The body of a request, as a file."""

import io

import pytest

from tiamat.compat.gunicorn.http.body import Body, EOFReader, LengthReader
from tiamat.compat.gunicorn.http.unreader import IterUnreader


def body(length: int = 9) -> Body:
    """One that comes in two pieces, with more behind it."""
    return Body(LengthReader(IterUnreader([b"one\ntw", b"o\n3xyz"]), length))


def test_it_is_read() -> None:
    """To its end and no further."""
    file = body()

    assert [b"one", b"\ntwo\n3", b""] == [file.read(3), file.read(), file.read()]


def test_lines_are_read() -> None:
    """Or a part of one."""
    file = body()

    assert [b"on", b"e\n", b"two\n", b"3"] == [
        file.readline(2),
        file.readline(),
        *file.readlines(),
    ]


def test_it_is_iterated() -> None:
    """By lines."""
    assert [b"one\n", b"two\n", b"3"] == list(body())


def test_it_may_end_with_the_connection() -> None:
    """If nothing says its length."""
    assert b"abcd" == Body(EOFReader(IterUnreader([b"ab", b"cd"]))).read()


def test_a_file_is_read_as_it_is() -> None:
    """Ours are files already."""
    assert b"ab" == Body(io.BytesIO(b"ab")).read()


def test_a_size_is_a_number() -> None:
    """Nothing else."""
    with pytest.raises(TypeError):
        body().read("2")  # type: ignore[arg-type]
