"""Holds something for each thread, and leaves the file ``closed`` when it is freed."""

import threading
from pathlib import Path

from tiamat.types import Environ, StartResponse

local = threading.local()


class Held:
    """Notes its end."""

    def __del__(self) -> None:
        Path("closed").touch()


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """Hold it, and say so."""
    local.held = Held()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"held"]
