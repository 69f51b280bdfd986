"""Forks a process that stays, and answers with its pid."""

import os
import signal
import time

from tiamat.types import Environ, StartResponse


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """The pid of the forked process."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        while True:
            time.sleep(60)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(pid).encode()]
