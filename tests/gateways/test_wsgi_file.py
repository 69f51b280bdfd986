"""Files that applications hand over."""

import gzip
import tempfile
from pathlib import Path
from typing import Any

from gateways.answers import PLAIN, Answer


def test_a_file_is_left_to_the_driver() -> None:
    """
    wsgi.file_wrapper around a real file is sent by descriptor, from where it is.
    """
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789")
        file.seek(4)

        def app(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", PLAIN)
            return environ["wsgi.file_wrapper"](file)

        answer = Answer(app)

    assert b"Content-Length: 6" in answer.lines
    assert [(4, 6)] == answer.wire.files


def test_a_file_without_a_size_is_read() -> None:
    """
    What the kernel makes up has content although its size is 0.
    """

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return environ["wsgi.file_wrapper"](Path("/proc/self/status").open("rb"))

    answer = Answer(app)

    assert ([], True) == (answer.wire.files, b"Name:" in answer.body)


def test_a_file_that_decodes_is_read(tmp_path: Path) -> None:
    """
    Its descriptor has the bytes before they are decoded.
    """
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(b"unpacked"))

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return environ["wsgi.file_wrapper"](gzip.open(packed))

    answer = Answer(app)

    assert ([], True) == (answer.wire.files, b"unpacked" in answer.body)
