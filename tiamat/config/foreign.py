"""Worker classes of gunicorn's and of uvicorn's, and which of ours does the same."""

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
    **UVICORNS,
}
"""By path: the name of ours."""


def ours_for(name: str) -> str:
    """Which of ours does the same, by name; nothing if none does."""
    return WORKERS.get(name, "") or WORKERS.get(name.replace(":", "."), "")


def note(name: object) -> str:
    """What is to be said of a worker class that is not the one of that name."""
    if not isinstance(name, str) or name.replace(":", ".") not in UVICORNS:
        return ""
    return f"worker_class {name!r}: Tiamat's own {ours_for(name)} serves in its place"
