"""A server in a program of the user's: ``tiamat.serve``."""

import os
from importlib import import_module
from typing import Any

from tiamat.cli import say
from tiamat.config import Config, application
from tiamat.config.sources import Sources
from tiamat.errors import ConfigError
from tiamat.master.arbiter import Arbiter


def serve(app: object, settings: dict[str, Any]) -> int:
    """
    Serve until told to stop; return the exit status.

    Args:
        app: the application, or its name.
        settings: by name.

    Raises:
        TiamatError: the server can't start; nothing is left behind.
    """
    import_module("tiamat.compat.shim").install()
    named = isinstance(app, str)
    cwd = os.getcwd()
    if named:
        settings = {"wsgi_app": app, **settings}
    sources = Sources((), dict(os.environ), cwd, settings, None if named else app)
    config = Config().read(sources)
    if config.app is None:
        raise ConfigError("no application: serve() was given none")
    application.check(config)
    for warning in config.warnings:
        say("warning", warning)
    config.enter()
    arbiter = Arbiter(config)
    try:
        return arbiter.run()
    finally:
        arbiter.premises.config.leave()  # perhaps those of a reload
