"""What hooks see of a request and its response."""

from tiamat.compat.request import RequestView, ResponseView, after
from tiamat.protocol.request import Request
from tiamat.protocol.response import Response

HEADERS = [(b"host", b"a"), (b"x-user", b"me")]
SCOPE = {"asgi": {}, "scheme": "https", "client": ("1.2.3.4", 5), "path": "/a"}


def request() -> Request:
    """A GET."""
    return Request("GET", b"/a?b=1", "1.1", HEADERS, dict(HEADERS), b"")


def test_the_view_has_gunicorns_names() -> None:
    """
    Method, path, query, uri, version and headers are where hooks look for them.
    """
    view = RequestView(request(), {"REMOTE_ADDR": "1.2.3.4", "REMOTE_PORT": "5"})

    assert ("GET", "/a", "b=1", "/a?b=1") == (
        view.method, view.path, view.query, view.uri,
    )  # fmt: skip
    assert (1, 1) == view.version
    assert [("HOST", "a"), ("X-USER", "me")] == view.headers
    assert ("1.2.3.4", 5) == view.remote_addr == view.peer_addr
    assert "http" == view.scheme
    assert not view.should_close()


def test_a_scope_tells_the_same() -> None:
    """Under ASGI scheme and client are the scope's; a Unix socket has no client."""
    view = RequestView(request(), SCOPE)

    assert ("https", ("1.2.3.4", 5)) == (view.scheme, view.remote_addr)
    assert ("", 0) == RequestView(request(), SCOPE | {"client": None}).remote_addr


def test_a_response_has_its_status_in_words_and_as_a_number() -> None:
    """Headers as text, whether they came from WSGI or from ASGI; and the sizes."""
    response = Response(request())
    response.start(404, [(b"content-length", b"3"), (b"x-a", b"1")], b"")
    response.data(b"no!")
    view = ResponseView(response, RequestView(request(), SCOPE))

    assert ("404 Not Found", 404) == (view.status, view.status_code)
    assert [("content-length", "3"), ("x-a", "1")] == view.headers
    assert (3, 3, True) == (view.sent, view.response_length, view.headers_sent)
    assert view.should_close() is view.must_close is False
    assert "HTTP/1.1" == view.version


def test_what_was_never_sent_has_status_0() -> None:
    """A client that went: there is nothing to tell but that."""
    view = ResponseView(Response(request()), RequestView(request(), SCOPE))

    assert ("0", 0, False, 0) == (
        *(view.status, view.status_code, view.headers_sent, view.sent),
    )
    assert view.response_length is None


def test_post_request_gets_an_environ_in_any_case() -> None:
    """WSGI's own, or what it would be."""
    environ = {"PATH_INFO": "/a"}
    assert after(request(), environ, Response(request()))[1] is environ

    view, made, response = after(request(), SCOPE, Response(request()))
    assert ("/a", "GET", "me") == (
        *(made["PATH_INFO"], made["REQUEST_METHOD"], made["HTTP_X_USER"]),
    )
    assert ("1.2.3.4", "5", "HTTP/1.1") == (
        *(made["REMOTE_ADDR"], made["REMOTE_PORT"], made["SERVER_PROTOCOL"]),
    )
    assert response.req is view


def test_what_a_hook_puts_on_a_request_is_there_behind_it() -> None:
    """``req.start = time.time()`` in ``pre_request``, as many do."""
    one = request()
    RequestView(one, SCOPE).start = 7.0  # type: ignore[attr-defined]
    view, _, _ = after(one, SCOPE, Response(one))

    assert 7.0 == view.start  # type: ignore[attr-defined]
