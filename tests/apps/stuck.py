"""Holds the interpreter's lock for ever: no other thread of the worker runs."""

import ctypes
from pathlib import Path

from tiamat.types import Environ, StartResponse


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """Never answers."""
    Path("begun").touch()
    ctypes.PyDLL(None).pause()  # PyDLL does not release the lock, as a bad extension
    while True:
        ctypes.PyDLL(None).sleep(1000)
