"""Worker classes of gunicorn's and of others, and which of ours does the same."""

import os
from importlib.util import find_spec
from typing import Final

GUNICORNS: Final = {
    "sync.SyncWorker": "sync",
    "gthread.ThreadWorker": "threads",
    "ggevent.GeventWorker": "gevent",
    "ggevent.GeventPyWSGIWorker": "gevent",
    "gasgi.ASGIWorker": "asgi",
}
"""In the package ``gunicorn.workers``."""

EGGS: Final = ("sync", "gthread", "gevent", "gevent_wsgi", "gevent_pywsgi", "asgi")
"""gunicorn's entry points, ``egg:gunicorn#gthread``; we have them by these names."""

UVICORNS: Final = {
    f"{module}.{name}": ours
    for module in ("uvicorn.workers", "uvicorn_worker")
    for name, ours in (("UvicornWorker", "asgi"), ("UvicornH11Worker", "h11"))
}

WORKERS: Final[dict[str, str]] = {
    **{f"gunicorn.workers.{path}": ours for path, ours in GUNICORNS.items()},
    **{f"egg:gunicorn#{name}": name for name in EGGS},
}
"""By path: the name of ours, also where gunicorn is installed."""

KNOWN: Final = (
    *("uvicorn.workers.", "uvicorn_worker.", "aiohttp.Gunicorn", "aiohttp.worker."),
    *("geventwebsocket.gunicorn.", "meinheld."),
)
"""How the paths of classes begin that are known to be written for gunicorn."""


def ours_for(name: str) -> str:
    """Which of ours serves for a class, by its name; nothing if it serves itself."""
    name = name if name in WORKERS else name.replace(":", ".")
    if name in UVICORNS and not has_uvicorn(name):
        return UVICORNS[name]
    return WORKERS.get(name, "")


def has_uvicorn(name: str) -> bool:
    """Whether uvicorn's worker of this name is installed; it is not imported."""
    module = name.rpartition(".")[0]
    top, _, part = module.partition(".")
    spec = find_spec(top)
    if spec is None or not part:
        return spec is not None
    places = spec.submodule_search_locations or ()
    return any(os.path.exists(os.path.join(place, f"{part}.py")) for place in places)


def note(name: object) -> str:
    """What is to be said of a worker class that is not the one of that name."""
    if not isinstance(name, str) or name.replace(":", ".") not in UVICORNS:
        return ""
    path = name.replace(":", ".")
    if ours := ours_for(path):
        return f"worker_class {name!r}: Tiamat's own {ours} serves in its place"
    return (
        f"worker_class {name!r} is uvicorn's own worker, without reload_check and"
        f" Tiamat's limits; -k {UVICORNS[path]} does the same for less"
    )
