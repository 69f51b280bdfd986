"""Names that everyone shares."""

from typing import Any
from wsgiref.simple_server import demo_app

from tiamat.types import Environ, StartResponse, WSGIApp


def test_the_types_describe_real_applications() -> None:
    """
    A function of (environ, start_response) is a WSGIApp, as mypy agrees.
    """

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [])
        return []

    known: WSGIApp = app
    other: Any = demo_app

    assert callable(known)
    assert callable(other)
