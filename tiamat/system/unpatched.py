"""
The system's own primitives, where gevent has put its own in their place.

A patched ``select.poll`` waits in the hub of the thread that calls it. A thread that
is to run while the hub stands still, or a wait under a real lock, needs the original.
"""

import sys
from importlib import import_module
from typing import Any


def unpatched(module: str, name: str) -> Any:
    """
    What *name* of *module* was before anybody patched it.

    ``unpatched("select", "poll")`` is ``select.poll`` where nobody did.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None:
        return monkey.get_original(module, name)
    return getattr(import_module(module), name)
