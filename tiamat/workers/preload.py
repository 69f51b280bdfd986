"""Load the application before there are workers: in a mold, which forks them."""

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from tiamat.config import application, named
from tiamat.gateways import interface
from tiamat.workers import load_worker_class

if TYPE_CHECKING:
    from tiamat.config import Config


def preload(cfg: "Config") -> object | None:
    """
    The application, with all that its workers would import for themselves.

    What is imported here is in the memory that they share.

    Raises:
        TiamatError: it can't be loaded, or what serves it can't.
    """
    if cfg.app is None:
        return None
    app = application.load(cfg)
    if application.makes_server(cfg):
        return app
    named.parser(cfg)
    if interface.interface(app) == "asgi":
        load_worker_class("asgi")
        named.loop_factory(cfg)
        with suppress(ImportError):  # without WebSockets, which each worker says
            import_module("tiamat.drivers.aio_websocket")
    return app
