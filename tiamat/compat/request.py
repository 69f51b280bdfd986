"""What hooks see of a request and its response: gunicorn's names over ours."""

from tiamat.protocol.request import Request
from tiamat.protocol.response import Response
from tiamat.protocol.status import REASONS
from tiamat.types import Environ, Scope


class RequestView:
    """
    A request for ``pre_request`` and ``post_request``.

    Args:
        request: The request.
        about: Its environ, or its scope under ASGI.

    Attributes:
        headers: Names in upper case, as gunicorn has them, and values, as text.
        version: ``(1, 1)``.
        remote_addr: Address and port; of a Unix socket's peer ``("", 0)``.
    """

    def __init__(self, request: Request, about: Environ | Scope) -> None:
        self.method = request.method
        self.uri = request.target.decode("latin-1")
        self.path, _, self.query = self.uri.partition("?")
        self.fragment = ""
        self.version = tuple(int(number) for number in request.version.split("."))
        self.headers = [
            (name.decode("latin-1").upper(), value.decode("latin-1"))
            for name, value in request.headers
        ]
        self.proxy_protocol_info = None
        self.body = about.get("wsgi.input")
        if "asgi" in about:
            self.scheme = about["scheme"]
            self.remote_addr = tuple(about["client"] or ("", 0))
        else:
            self.scheme = about.get("wsgi.url_scheme", "http")
            self.remote_addr = (
                about.get("REMOTE_ADDR", ""),
                int(about.get("REMOTE_PORT") or 0),
            )
        self.peer_addr = self.remote_addr
        self._keep_alive = request.keep_alive
        request.view = self

    def should_close(self) -> bool:
        """Whether the client wants the connection to end behind this request."""
        return not self._keep_alive

    def environ(self) -> Environ:
        """What WSGI would say of the request, for hooks of ASGI applications."""
        host, port = self.remote_addr
        fields = {
            f"HTTP_{name.replace('-', '_')}": value for name, value in self.headers
        }
        return fields | {
            "REQUEST_METHOD": self.method,
            "RAW_URI": self.uri,
            "PATH_INFO": self.path,
            "QUERY_STRING": self.query,
            "SERVER_PROTOCOL": "HTTP/{}.{}".format(*self.version),
            "REMOTE_ADDR": host,
            "REMOTE_PORT": str(port),
            "wsgi.url_scheme": self.scheme,
        }


class ResponseView:
    """
    A response for ``post_request``, behind its last byte.

    Attributes:
        status: ``200 OK``; of a client that went before there was an answer, ``0``.
        status_code: ``200``.
        headers: The application's, as text.
        sent: Bytes of the body.
        response_length: What Content-Length said; None if nothing did.
    """

    def __init__(self, response: Response, request: RequestView) -> None:
        self.req = request
        self.status_code = response.status
        self.status = f"{response.status} {REASONS.get(response.status, '')}".rstrip()
        self.version = "HTTP/{}.{}".format(*request.version)
        self.headers = [(text(name), text(value)) for name, value in response.headers]
        self.headers_sent = response.status > 0
        self.sent = response.sent if self.headers_sent else 0
        lengths = (v for name, v in self.headers if name.lower() == "content-length")
        self.response_length = next((int(v) for v in lengths if v.isdecimal()), None)
        self.must_close = not response.keep_alive

    def should_close(self) -> bool:
        """Whether the connection ends behind this response."""
        return self.must_close


def text(value: str | bytes) -> str:
    """A name or a value, as WSGI or ASGI has it."""
    return value if isinstance(value, str) else value.decode("latin-1")


def after(
    request: Request, about: Environ | Scope, response: Response
) -> tuple[RequestView, Environ, ResponseView]:
    """
    What ``post_request`` gets behind the worker.

    The request is the very object that ``pre_request`` got: hooks put the time on it.
    """
    view = getattr(request, "view", None) or RequestView(request, about)
    environ = view.environ() if "asgi" in about else about
    return view, environ, ResponseView(response, view)
