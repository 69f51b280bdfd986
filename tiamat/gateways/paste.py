"""
Applications that a PasteDeploy file describes, by the library of that name.

    config:/srv/shop/production.ini#section
"""

import configparser
from collections.abc import Mapping
from typing import Final

from tiamat.errors import AppError, StartupError
from tiamat.gateways.loader import reason, without_ours

SCHEME: Final = "config:"
LOGGING: Final = ("loggers", "handlers", "formatters")
"""Sections without which ``logging.config.fileConfig`` can't do."""


def load(uri: str, variables: Mapping[str, str]) -> object:
    """
    The application.

    Args:
        uri: the file, absolute, with the section behind ``#`` if it is not ``main``.
        variables: what the file may refer to, ``%(name)s``.

    Raises:
        AppError: there is no such section.
        StartupError: the library is missing, or something in the file failed.
    """
    try:
        from paste.deploy import loadapp
    except ImportError:
        raise StartupError("paste needs PasteDeploy: pip install PasteDeploy") from None
    try:
        app: object = loadapp(uri, global_conf=dict(variables))
    except LookupError as error:
        raise AppError(f"{uri.removeprefix(SCHEME)}: {error}") from None
    except (Exception, SystemExit) as error:
        text = f"{uri.removeprefix(SCHEME)} failed: {reason(error)}"
        raise StartupError(text) from without_ours(error)
    return app


def configures_logging(path: str) -> bool:
    """Whether the file is one for ``logging.config.fileConfig``, too."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(path)
    except (configparser.Error, UnicodeDecodeError):
        return False  # what is wrong with it is said when it is loaded
    return all(parser.has_section(name) for name in LOGGING)
