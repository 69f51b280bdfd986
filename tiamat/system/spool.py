"""Bytes that outgrew memory, in a file without a name."""

import tempfile
from typing import BinaryIO, cast


def spool_file(directory: str | None) -> BinaryIO:
    """
    An empty file that goes away when it is closed.

    Args:
        directory: Where; ``None`` is ``$TMPDIR`` or the system's.

    Raises:
        OSError: There is no room or no permission.
    """
    return cast(BinaryIO, tempfile.TemporaryFile(dir=directory, buffering=0))
