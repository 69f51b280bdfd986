"""``use = egg:tiamat-server#main``: a server that a PasteDeploy file describes."""

import os
from typing import Any

import tiamat
from tiamat.gateways.paste import configures_logging


def serve(app: Any, global_conf: dict[str, str], **settings: Any) -> int:
    """
    Serve until told to stop, as ``pserve`` and the like ask for it.

    Args:
        app: the application.
        global_conf: variables of the file; ``__file__`` is its path.
        settings: ours, as texts; ``host`` and ``port`` instead of ``bind``.
    """
    host, port = settings.pop("host", ""), settings.pop("port", "")
    if port:
        settings["bind"] = f"{host or '127.0.0.1'}:{port}"
    elif host:
        settings["bind"] = [one.strip() for one in host.split(",")]
    path = global_conf.get("__file__", "")
    if path and configures_logging(path):
        settings.setdefault("logconfig", path)
    if path:
        settings.setdefault("proc_name", os.path.basename(path))
    return tiamat.serve(app, **settings)
