"""What a process prints into a pipe."""

import os

import pytest

from tiamat.system.lines import LINE, Lines


def test_lines_come_whole_and_the_last_without_its_end() -> None:
    """However they were written; then it is the end."""
    reader, writer = os.pipe()
    lines = Lines(reader)

    assert [] == [*lines.take()]

    os.write(writer, b"one\ntw")

    assert ["one"] == [*lines.take()]

    os.write(writer, b"o\r\n\n\xff three")

    assert ["two"] == [*lines.take()]

    os.close(writer)

    assert ["\\xff three"] == [*lines.take()]
    assert "\\xff three" == lines.last
    with pytest.raises(EOFError):
        [*lines.take()]
    lines.close()

    assert [] == [*lines.take()]


def test_a_long_line_becomes_several() -> None:
    """Memory is not what a helper decides about."""
    reader, writer = os.pipe()
    lines = Lines(reader)
    os.write(writer, b"x" * (LINE + 1))

    assert [LINE, 1] == [len(line) for line in lines.take()]

    os.close(writer)
    lines.close()
