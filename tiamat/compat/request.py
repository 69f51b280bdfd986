"""What hooks see of a request: gunicorn's names over ours."""

from typing import Any

from tiamat.protocol.request import Request


class RequestView:
    """
    A request for ``pre_request`` and ``post_request``.

    Attributes:
        headers: Names in upper case, as gunicorn has them, and values, as text.
        version: ``(1, 1)``.
    """

    def __init__(self, request: Request, environ: dict[str, Any]) -> None:
        self.method = request.method
        self.uri = request.target.decode("latin-1")
        self.path, _, self.query = self.uri.partition("?")
        self.fragment = ""
        self.version = tuple(int(number) for number in request.version.split("."))
        self.headers = [
            (name.decode("latin-1").upper(), value.decode("latin-1"))
            for name, value in request.headers
        ]
        self.scheme = environ.get("wsgi.url_scheme", "http")
        self.remote_addr = (
            environ.get("REMOTE_ADDR", ""),
            int(environ.get("REMOTE_PORT") or 0),
        )
        self.body = environ.get("wsgi.input")
