"""Tiamat: an application server for Python that forks workers and keeps them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiamat.workers.current import current_worker

__version__ = "0.1.0"

__all__ = ["current_worker"]


def __getattr__(name: str) -> object:
    """What applications use, loaded when they ask for it: the master needs none."""
    if name == "current_worker":
        from tiamat.workers.current import current_worker

        return current_worker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
