"""Tiamat: an application server for Python that forks workers and keeps them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiamat.workers.current import current_worker

__version__ = "0.1.0"

__all__ = ["current_worker", "serve"]


def serve(app: object, **settings: Any) -> int:
    """
    Serve in this process until told to stop; return the exit status.

    Args:
        app: a WSGI or ASGI application, or its name: ``"module:app"``.
        settings: by name, ``workers=4``. ``config="tiamat.conf.py"`` reads a file;
            none is read without it, and no command line.

    Raises:
        TiamatError: the server can't start.
    """
    # By name: who imports this package alone loads no server.
    status: int = import_module("tiamat.embedding").serve(app, settings)
    return status


def __getattr__(name: str) -> object:
    """What applications use, loaded when they ask for it: the master needs none."""
    if name == "current_worker":
        from tiamat.workers.current import current_worker

        return current_worker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
