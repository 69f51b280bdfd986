"""Which application is meant: by name, by a PasteDeploy file, or as an object."""

import os
from typing import TYPE_CHECKING

from tiamat.gateways import loader

if TYPE_CHECKING:
    from tiamat.config.config import Config


def name_of(config: "Config") -> str | None:
    """
    What the application is called; None if nobody has named one.

    Raises:
        ConfigError: there is no such PasteDeploy file.
    """
    if config.sources.application is not None:
        return described(config.sources.application)
    if config.paste is None:
        return config.sources.app or config.wsgi_app
    path, sharp, section = config.paste.partition("#")
    path = os.path.abspath(os.path.join(config.sources.cwd, path))
    if not os.path.isfile(path):
        config.refuse("paste", "is no file")
    return f"config:{path}{sharp}{section}"


def described(app: object) -> str:
    """An application that was handed over, in words: ``shop.site:app``."""
    name = getattr(app, "__qualname__", "") or type(app).__qualname__
    return f"{getattr(app, '__module__', None) or type(app).__module__}:{name}"


def logging_file(config: "Config") -> str | None:
    """The PasteDeploy file, if it says how to log."""
    if config.paste is None or config.app is None:
        return None
    from tiamat.gateways import paste

    path = config.app.removeprefix(paste.SCHEME).partition("#")[0]
    return path if paste.configures_logging(path) else None


def check(config: "Config") -> None:
    """
    See that the name of the application can be one.

    Raises:
        AppError: it can't.
    """
    if config.app and config.paste is None and config.sources.application is None:
        loader.parse_spec(config.app)


def load(config: "Config") -> object:
    """
    The application; there is one.

    Raises:
        TiamatError: it can't be loaded.
    """
    if config.sources.application is not None:
        return config.sources.application
    if config.paste is not None:
        from tiamat.gateways import paste

        return paste.load(config.app or "", config.paste_global_conf)
    return loader.load(config.app or "")
