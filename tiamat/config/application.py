"""Which application is meant: by name, by a file, or as an object."""

import os
from typing import TYPE_CHECKING, Final

from tiamat.gateways import loader, tcp
from tiamat.system.addresses import Udp, parse_address

if TYPE_CHECKING:
    from tiamat.config.config import Config

SCRIPTS: Final = ("tcp", "tcp-gevent")
"""The workers that run a worker script."""


def finish_script(config: "Config") -> None:
    """
    With a worker script, the worker is one that runs it.

    Raises:
        ConfigError: another worker, or an application, is asked for as well.
    """
    if config.script is None:
        refuse_datagrams(config)
        return
    kind = config.worker_class
    if kind not in (None, "gevent", *SCRIPTS):
        config.refuse(
            "worker_class",
            "runs no worker script: what that returns decides; leave out -k, or use"
            " -k gevent if it is written for gevent",
        )
    if config.sources.app is not None:
        config.refuse(
            "script", f"and the application {config.sources.app!r} can't both be served"
        )
    config.values["worker_class"] = "tcp" if kind in (None, "tcp") else "tcp-gevent"


def refuse_datagrams(config: "Config") -> None:
    """
    There is no HTTP in datagrams.

    Raises:
        ConfigError: some are to be served.
    """
    if makes_server(config):
        return
    for address in config.bind:
        if isinstance(parse_address(address), Udp):
            config.refuse("bind", f"{address} is for worker scripts only (-s)")


def makes_server(config: "Config") -> bool:
    """Whether what is loaded is ``run(config)``, which makes a server of any kind."""
    return config.worker_class in SCRIPTS


def name_of(config: "Config") -> str | None:
    """
    What the application is called; None if nobody has named one.

    Raises:
        ConfigError: there is no such PasteDeploy file.
    """
    if config.sources.application is not None:
        return described(config.sources.application)
    if config.script is not None:
        return config.script
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
    if config.app and makes_server(config):
        if tcp.script_path(config.app) is None:
            loader.parse_spec(config.app)
    elif config.app and config.paste is None and config.sources.names_application:
        loader.parse_spec(config.app)


def load(config: "Config") -> object:
    """
    The application; there is one.

    Raises:
        TiamatError: it can't be loaded.
    """
    sources = config.sources
    if sources.application is not None:
        return sources.application
    if sources.loader is not None:
        return sources.loader()
    if makes_server(config):
        return tcp.load(config.app or "")
    if config.paste is not None:
        from tiamat.gateways import paste

        return paste.load(config.app or "", config.paste_global_conf)
    return loader.load(config.app or "")
