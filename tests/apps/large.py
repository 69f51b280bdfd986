"""Answers with 5 MB, or with the size of the body."""

from tiamat.types import Environ, StartResponse


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """``/large`` is large."""
    body = b"x" * 5_000_000
    if environ["PATH_INFO"] != "/large":
        body = b"%d" % len(environ["wsgi.input"].read())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
