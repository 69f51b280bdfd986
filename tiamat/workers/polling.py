"""When to look at the dates of files, where nothing tells of changes."""

from collections.abc import Iterator
from typing import Any

from tiamat.system.unpatched import unpatched


def watch(*directories: str, rust_timeout: int, **ignored: Any) -> Iterator[set[Any]]:
    """
    In the place of ``watchfiles.watch``: it is time to look.

    Args:
        directories: which would be watched.
        rust_timeout: how often, in milliseconds.
        ignored: what else it takes.
    """
    sleep = unpatched("time", "sleep")
    while True:
        sleep(rust_timeout / 1000)
        yield set()
