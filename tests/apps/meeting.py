"""Answers when four requests are in the application at the same time."""

import threading

from tiamat.types import Environ, StartResponse

barrier = threading.Barrier(4, timeout=30)


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """Wait for three others."""
    barrier.wait()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d met" % barrier.parties]
