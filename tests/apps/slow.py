"""Answers with the pid of the worker, after as many seconds as the query says."""

import os
import time
from pathlib import Path

from tiamat.types import Environ, StartResponse


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """``/?0.5`` takes half a second; the file ``begun`` says that it has begun."""
    if environ["QUERY_STRING"]:
        Path("begun").touch()
    time.sleep(float(environ["QUERY_STRING"] or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
