"""Programs that were written for gunicorn's classes, as servers of the tests."""

import signal
import sys
from pathlib import Path

from running import Load, Server

HEAD = """#!{python}
import os, signal, sys, time
import tiamat.compat.shim
tiamat.compat.shim.install()

flags = dict(word[2:].split("=", 1) for word in sys.argv[1:])
options = {{"bind": flags["bind"], "errorlog": flags["error-logfile"], "workers": 2}}
"""

STANDALONE = """
from gunicorn.app.base import BaseApplication

class StandaloneApplication(BaseApplication):
    def __init__(self, options=None):
        self.options = options or {}
        super().__init__()

    def load_config(self):
        for key, value in self.options.items():
            if key in self.cfg.settings and value is not None:
                self.cfg.set(key.lower(), value)

    def load(self):
        from apps.slow import app
        return app
"""


def program(directory: Path, *parts: str) -> str:
    """A program of these parts, behind ``HEAD``; its path."""
    path = directory / "program"
    path.write_text("\n".join((HEAD.format(python=sys.executable), *parts)))
    path.chmod(0o755)
    return str(path)


def reloaded_and_stopped(server: Server) -> list[str]:
    """
    What was lost when a server of ``apps.slow`` is reloaded and stopped under load.

    TERM comes while a request is in the application.
    """
    with Load(server.address) as load:
        server.wait_for_log("worker 1 gen=1 pid=\\d+ serves")
        server.signal(signal.SIGHUP)
        server.wait_for_log("every worker is of generation 2")
        load.wait_for_requests()
    last = server.begin("/?0.3")
    server.signal(signal.SIGTERM)
    if (status := last.getresponse().status) != 200:
        load.losses.append(f"the last one: {status}")
    last.close()
    if status := server.wait_for_exit():
        load.losses.append(f"exit status {status}")
    return load.losses
