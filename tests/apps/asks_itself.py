"""Answers with what its own server says."""

import urllib.request

from tiamat.types import Environ, StartResponse


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """``/inner`` says so, everything else asks for it."""
    text = b"inner"
    if environ["PATH_INFO"] != "/inner":
        url = f"http://{environ['HTTP_HOST']}/inner"
        with urllib.request.urlopen(url, timeout=30) as response:
            text = b"asked: " + response.read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text]
