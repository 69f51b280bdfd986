"""Requests as WSGI's environ (PEP 3333, "environ Variables")."""

import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from tiamat.gateways.wsgi_file import FileWrapper
from tiamat.gateways.wsgi_input import complete_input
from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.forwarded import NOTHING_SAID, Said, Trust
from tiamat.protocol.request import Request
from tiamat.types import Environ

if TYPE_CHECKING:  # a plain server does not load it
    from tiamat.protocol.proxy import ProxyHeader

_PER_REQUEST: Final = (
    "RAW_URI", "QUERY_STRING", "PATH_INFO", "REQUEST_METHOD",
    "REMOTE_ADDR", "REMOTE_PORT", "wsgi.input", "wsgi.early_hints",
)  # fmt: skip

# A dictionary of 22 to 42 keys has 64 places (CPython); 21 would have 32.
_ROOM: Final = 22


class _EnvironNames(dict[bytes, str]):
    """``b"user-agent"`` → ``"HTTP_USER_AGENT"``; bounded, since clients name them."""

    def __missing__(self, name: bytes) -> str:
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        if len(self) < 1024:
            self[name] = key
        return key


_ENVIRON_NAMES: Final = _EnvironNames()


class Environs:
    """
    Makes environs: ``base`` once per listener, ``make`` once per request.

    Args:
        software: SERVER_SOFTWARE.
        script_name: Where the application is mounted.
        multithread: Other threads or greenlets may run it at the same time.
        multiprocess: Other processes may run the application at the same time.
        trust: The proxies that are believed; None is nobody.
        refuse_underscores: A name with an underscore, from whom it is not
            believed, is refused and not left out.
    """

    def __init__(
        self,
        *,
        software: str = "tiamat",
        script_name: str = "",
        multithread: bool = False,
        multiprocess: bool = False,
        trust: Trust | None = None,
        refuse_underscores: bool = False,
    ) -> None:
        self._trust = trust
        self._refuses_underscores = refuse_underscores
        self._constant: Environ = {
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": multithread,
            "wsgi.multiprocess": multiprocess,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input_terminated": True,
            "SERVER_SOFTWARE": software,
            "SCRIPT_NAME": script_name.rstrip("/"),
        }

    def base(self, server_name: str, server_port: str, scheme: str) -> Environ:
        """
        What all requests on one listener have in common, with room for the rest.

        A copy of a dictionary has the room of its original. Each key that a
        request sets stands here already, and some more once stood behind them,
        so that no environ has to grow, which costs as much as all its headers.
        """
        base: Environ = {
            **self._constant,
            "SERVER_NAME": server_name,
            "SERVER_PORT": server_port,
            "wsgi.url_scheme": scheme,
            **dict.fromkeys(_PER_REQUEST),
            "SERVER_PROTOCOL": "HTTP/1.1",
        }
        extra = [f"extra {number}" for number in range(_ROOM - len(base))]
        base.update(dict.fromkeys(extra))
        for _ in extra:
            base.popitem()
        return base

    def behind(self, base: Environ, header: "ProxyHeader") -> Environ:
        """The base of one connection: what the proxy says in front of it."""
        base = base.copy()
        if header.destination is not None:
            base["SERVER_NAME"] = header.destination[0]
            base["SERVER_PORT"] = str(header.destination[1])
        if header.details.tls is not None:
            base["wsgi.url_scheme"] = "https"
        base["tiamat.proxy_protocol"] = header.shown()
        return base

    def make(self, request: Request, base: Environ, peer: tuple[str, str]) -> Environ:
        """
        The environ of *request*.

        Raises:
            ProtocolError: What a trusted proxy says contradicts itself.

        Hot: once per request. What is constant is copied at once; each field is
        one look-up and one decoding.
        """
        environ = base.copy()
        environ["RAW_URI"] = target = request.target.decode("latin-1")
        path, _, environ["QUERY_STRING"] = target.partition("?")
        if "%" in path:
            path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
        environ["PATH_INFO"] = path
        environ["REQUEST_METHOD"] = request.method
        if request.version != "1.1":
            environ["SERVER_PROTOCOL"] = "HTTP/" + request.version
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = peer
        body = request.body
        environ["wsgi.input"] = BytesIO() if body is None else complete_input(body)
        headers = request.headers
        section = request.section
        if section is not None:
            if section.environ is None:
                section.environ = {}
                add_repeated(section.environ, headers)
            environ.update(section.environ)
        elif len(headers) == len(request.fields):
            names = _ENVIRON_NAMES
            for name, value in headers:
                environ[names[name]] = value.decode("latin-1")
        else:
            add_repeated(environ, headers)
        trust = self._trust
        if (
            trust is not None
            and len(headers) > 1
            and not request.fields.keys().isdisjoint(trust.names)
        ):
            self._believe(trust, environ, request)
        elif environ["SCRIPT_NAME"]:
            strip_mount(environ)
        return environ

    def _believe(self, trust: Trust, environ: Environ, request: Request) -> None:
        """
        Take what a trusted proxy says; of others, forget that they said it.

        The mount point comes last, since the proxy may name it.
        """
        trusted = trust.trusted(environ["REMOTE_ADDR"])
        said = trust.read(request) if trusted else NOTHING_SAID
        take_ends(environ, said)
        for name in trust.forwarders & request.fields.keys():
            # Not what stands in environ: that may be the dashed twin's, of a client
            # who hopes that it overwrites what the proxy says.
            environ.pop(_ENVIRON_NAMES[name], None)
            value = request.fields[name].decode("latin-1")
            if trusted and name in (b"script_name", b"path_info"):
                environ[name.decode().upper()] = value
            elif trusted:
                environ[_ENVIRON_NAMES[name]] = value
            elif self._refuses_underscores:
                raise ProtocolError("a header name with an underscore")
        if environ["SCRIPT_NAME"]:
            strip_mount(environ)
        if said.prefix:  # what the proxy has cut off
            prefix = unquote_to_bytes(said.prefix).decode("latin-1")
            environ["SCRIPT_NAME"] = prefix + environ["SCRIPT_NAME"]


def take_ends(environ: Environ, said: Said) -> None:
    """Who has asked, whom and how, by what a trusted proxy says."""
    if said.scheme is not None:
        environ["wsgi.url_scheme"] = said.scheme
        if said.scheme == "http":
            environ.pop("HTTPS", None)  # only the proxy's way to us is
    if said.client is not None:
        environ["REMOTE_ADDR"] = said.client[0]
        environ["REMOTE_PORT"] = str(said.client[1])
    if said.host:
        environ["HTTP_HOST"] = said.host.decode("latin-1")
    if said.port:
        environ["SERVER_PORT"] = str(said.port)


def add_repeated(environ: dict[str, Any], headers: list[tuple[bytes, bytes]]) -> None:
    """
    Fields of which some came more than once: joined by a comma, cookies by ``; ``.

    RFC 9110, 5.3; RFC 6265, 5.4 has one Cookie field, HTTP/2 splits it.
    """
    for name, value in headers:
        key = _ENVIRON_NAMES[name]
        text = value.decode("latin-1")
        if key in environ:
            text = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + text
        environ[key] = text


def strip_mount(environ: Environ) -> None:
    """PATH_INFO is what is below the mount point, SCRIPT_NAME (PEP 3333)."""
    path = environ["PATH_INFO"]
    mount = environ["SCRIPT_NAME"].rstrip("/")
    if path == mount or path.startswith(mount + "/"):
        environ["PATH_INFO"] = path[len(mount) :]
    else:
        environ["SCRIPT_NAME"] = ""
