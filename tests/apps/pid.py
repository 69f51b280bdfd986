"""Answers with the pid of the worker."""

import os

from tiamat.types import Environ, StartResponse


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """The pid, as text."""
    body = str(os.getpid()).encode()
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
