"""``wsgi.input`` over a complete body."""

import tempfile

from tiamat.gateways.wsgi_input import complete_input
from tiamat.protocol.request import Body


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
