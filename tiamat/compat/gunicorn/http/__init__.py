"""gunicorn's reading of requests, on our protocol floor."""

from typing import Any

from tiamat.compat.gunicorn.http.message import Message, Request
from tiamat.compat.gunicorn.http.parser import RequestParser

__all__ = ["Message", "Request", "RequestParser", "get_parser"]


def get_parser(
    cfg: Any, source: Any, source_addr: Any, http2_connection: bool | None = False
) -> RequestParser:
    """What reads the requests of a connection; always HTTP/1.1 or 1.0."""
    return RequestParser(cfg, source, source_addr)
