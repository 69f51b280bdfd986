"""Requests as ASGI's scope (ASGI, "HTTP Connection Scope")."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from tiamat.gateways.tls import marked
from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.forwarded import Trust
from tiamat.protocol.request import Request
from tiamat.types import Scope

if TYPE_CHECKING:  # a plain server does not load it
    from tiamat.protocol.proxy import ProxyHeader

SPEC_VERSION: Final = "2.4"

_EXTENSIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "http.response.early_hint": {},
    "http.response.informational": {},
    "http.response.pathsend": {},
    "http.response.zerocopysend": {},
}

_WITH_TRAILERS: Final = {**_EXTENSIONS, "http.response.trailers": {}}


class Scopes:
    """
    Makes scopes: ``base`` once per listener, ``http`` once per request.

    Args:
        root_path: Where the application is mounted.
        trust: The proxies that are believed; None is nobody.
        refuse_underscores: A name with an underscore, from whom it is not
            believed, is refused and not left out.
        state: What the lifespan left for all requests; each gets a shallow copy.
    """

    def __init__(
        self,
        *,
        root_path: str = "",
        trust: Trust | None = None,
        refuse_underscores: bool = False,
        state: dict[str, Any] | None = None,
    ) -> None:
        self._root = root_path.rstrip("/")
        self._raw_root = self._root.encode("utf-8")
        self._trust = trust
        self._refuses_underscores = refuse_underscores
        self.state = state

    def base(self, server: tuple[str, int | None], scheme: str) -> Scope:
        """
        What all requests on one listener have in common.

        Args:
            server: Host and port, or the path of a Unix socket and None.
            scheme: "http" or "https".
        """
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": SPEC_VERSION},
            "http_version": "1.1",
            "server": server,
            "client": None,
            "scheme": scheme,
            "method": "GET",
            "root_path": self._root,
            "path": "",
            "raw_path": b"",
            "query_string": b"",
            "headers": [],
            "state": {},
            "extensions": marked(_EXTENSIONS) if scheme == "https" else _EXTENSIONS,
        }

    def behind(self, base: Scope, header: "ProxyHeader") -> Scope:
        """The base of one connection: what the proxy says in front of it."""
        base = base.copy()
        if header.destination is not None:
            base["server"] = header.destination
        if header.details.tls is not None:
            base["scheme"] = "https"
        base["tiamat.proxy_protocol"] = header.shown()
        return base

    def http(
        self, request: Request, base: Scope, client: tuple[str, int] | None
    ) -> Scope:
        """
        The scope of *request*.

        Raises:
            ProtocolError: What a trusted proxy says contradicts itself.

        Hot: once per request. What is constant is copied at once.
        """
        scope = base.copy()
        raw, _, scope["query_string"] = request.target.partition(b"?")
        path = unquote_to_bytes(raw) if 0x25 in raw else raw
        text = path.decode("utf-8", "replace")
        if self._root:
            text = self._root + text
            raw = self._raw_root + raw
        scope["path"] = text
        scope["raw_path"] = raw
        scope["method"] = request.method
        scope["headers"] = request.headers.copy()
        scope["client"] = client
        if request.version != "1.1":
            scope["http_version"] = request.version
        if self.state is None:
            del scope["state"]
        else:
            scope["state"] = self.state.copy()
        fields = request.fields
        trust = self._trust
        if trust is not None and not trust.names.isdisjoint(fields):
            self._believe(trust, request, scope, client)
        if b"te" in fields and b"trailers" in fields[b"te"].lower():
            extensions = base["extensions"]
            scope["extensions"] = (
                _WITH_TRAILERS
                if extensions is _EXTENSIONS
                else {**extensions, "http.response.trailers": {}}
            )
        return scope

    def websocket(
        self, request: Request, base: Scope, client: tuple[str, int] | None
    ) -> Scope:
        """
        The scope of a WebSocket whose handshake *request* is.

        Raises:
            ProtocolError: As ``http``.
        """
        scope = self.http(request, base, client)
        del scope["method"]
        scope["type"] = "websocket"
        scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
        scope["extensions"] = {"websocket.http.response": {}}
        if "tls" in base["extensions"]:
            scope["extensions"]["tls"] = base["extensions"]["tls"]
        offered = request.fields.get(b"sec-websocket-protocol", b"")
        names = (name.strip() for name in offered.decode("latin-1").split(","))
        scope["subprotocols"] = [name for name in names if name]
        return scope

    def _believe(
        self,
        trust: Trust,
        request: Request,
        scope: Scope,
        client: tuple[str, int] | None,
    ) -> None:
        """Take what a trusted proxy says; leave out what others forge."""
        if trust.trusted(client[0] if client else ""):
            said = trust.read(request)
            scope["scheme"] = said.scheme or scope["scheme"]
            scope["client"] = said.client or client
            if said.host:
                others = [field for field in request.headers if field[0] != b"host"]
                scope["headers"] = [(b"host", said.host), *others]
            if said.prefix:  # what the proxy has cut off
                prefix = unquote_to_bytes(said.prefix).decode("utf-8", "replace")
                scope["root_path"] = prefix + scope["root_path"]
                scope["path"] = prefix + scope["path"]
                scope["raw_path"] = said.prefix + scope["raw_path"]
            return
        forged = trust.forwarders.intersection(request.fields)
        if forged and self._refuses_underscores:
            raise ProtocolError("a header name with an underscore")
        if forged:
            scope["headers"] = [
                field for field in request.headers if field[0] not in forged
            ]
