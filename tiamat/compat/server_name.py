"""What the server is called, where code that knows gunicorn has changed that."""

import sys
from types import SimpleNamespace
from typing import Any, Final

import tiamat.compat.gunicorn as package

WSGI: Final = "tiamat.compat.gunicorn.http.wsgi"


def in_headers(usual: bytes) -> bytes:
    """
    The header ``Server`` of responses; nothing if there is none.

    Sites assign ``gunicorn.SERVER``, or let ``Response.default_headers`` leave it out.

    Args:
        usual: if nobody has changed it.
    """
    wsgi: Any = sys.modules.get(WSGI)
    if wsgi is not None and wsgi.Response.default_headers is not wsgi.DEFAULT_HEADERS:
        lines = made_lines(wsgi.Response)
        said = (line for line in lines if line.lower().startswith("server:"))
        name = next(said, "").partition(":")[2].strip()
    else:
        name = package.SERVER
    return usual if name == "gunicorn" else name.encode("latin-1")


def made_lines(kind: Any) -> list[str]:
    """What a class of responses begins one with."""
    request = SimpleNamespace(method="GET", version=(1, 1), should_close=lambda: False)
    response = kind(request, None, None)
    response.status, response.status_code = "200 OK", 200
    lines: list[str] = response.default_headers()
    return lines


def in_environs(usual: str) -> str:
    """
    SERVER_SOFTWARE of environs.

    Args:
        usual: if nobody has changed it.
    """
    name = package.SERVER_SOFTWARE
    return usual if name == f"gunicorn/{package.__version__}" else name
