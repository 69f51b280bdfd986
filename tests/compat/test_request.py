"""What hooks see of a request."""

from tiamat.compat.request import RequestView
from tiamat.protocol.request import Request


def test_the_view_has_gunicorns_names() -> None:
    """
    Method, path, query, uri, version and headers are where hooks look for them.
    """
    headers = [(b"host", b"a")]
    request = Request("GET", b"/a?b=1", "1.1", headers, dict(headers), b"")
    view = RequestView(request, {"REMOTE_ADDR": "1.2.3.4", "REMOTE_PORT": "5"})

    assert ("GET", "/a", "b=1", "/a?b=1") == (
        view.method, view.path, view.query, view.uri,
    )  # fmt: skip
    assert (1, 1) == view.version
    assert [("HOST", "a")] == view.headers
    assert ("1.2.3.4", 5) == view.remote_addr
