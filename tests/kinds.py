"""The worker classes, each with the name of an application of its interface."""

KINDS = {
    "sync": ("app", "-k", "sync"),
    "threads": ("app", "-k", "threads", "--threads=4"),
    "gevent": ("app", "-k", "gevent"),
    "asgi": ("asgi", "-k", "asgi"),
    "h11": ("asgi", "-k", "h11"),
}
