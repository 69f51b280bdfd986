"""Bytes that outgrew memory, in a file without a name."""

from typing import BinaryIO, cast


def spool_file(directory: str | None) -> BinaryIO:
    """
    An empty file that goes away when it is closed.

    Args:
        directory: Where; ``None`` is ``$TMPDIR`` or the system's.

    Raises:
        OSError: There is no room or no permission.
    """
    import tempfile  # with shutil and all compressors; the master has no use for it

    return cast(BinaryIO, tempfile.TemporaryFile(dir=directory, buffering=0))


def write_all(file: BinaryIO, data: bytes | memoryview) -> None:
    """
    Write *data* whole: an unbuffered file may take a part of it.

    Raises:
        OSError: The disk is full; a part may have been written.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
