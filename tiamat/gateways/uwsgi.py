"""
Requests of the uwsgi protocol, as environ and as scope.

Their proxy says of the connection what the socket says of others: who has asked,
whom, and how.
"""

from typing import Final

from tiamat.gateways.asgi_scope import Scopes
from tiamat.gateways.wsgi_environ import Environs
from tiamat.protocol.request import Request
from tiamat.protocol.uwsgi import SaidSection, Variables
from tiamat.types import Environ, Scope

_SCHEME: Final = frozenset(["HTTPS", "REQUEST_SCHEME", "UWSGI_SCHEME"])

# What the request says, or the server and not its proxy.
_OURS: Final = _SCHEME | {
    "REMOTE_ADDR", "REMOTE_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE", "RAW_URI",
}  # fmt: skip


class UwsgiEnvirons(Environs):
    """All other variables are in the environ, as they are called."""

    def make(self, request: Request, base: Environ, peer: tuple[str, str]) -> Environ:
        """The environ of *request*; raises ProtocolError as its base class does."""
        variables = variables_of(request)
        base = base.copy()
        for name, value in variables.items():
            if name not in _OURS and "." not in name:  # "wsgi.…" is ours
                base[name] = value
        base["wsgi.url_scheme"] = scheme_of(variables, base["wsgi.url_scheme"])
        if "REMOTE_ADDR" in variables:
            peer = variables["REMOTE_ADDR"], variables.get("REMOTE_PORT", "")
        return super().make(request, base, peer)


class UwsgiScopes(Scopes):
    """All variables are in the scope, under one name."""

    def http(
        self, request: Request, base: Scope, client: tuple[str, int] | None
    ) -> Scope:
        """The scope of *request*; raises ProtocolError as its base class does."""
        variables = variables_of(request)
        base = base.copy()
        base["tiamat.uwsgi"] = variables
        base["scheme"] = scheme_of(variables, base["scheme"])
        if "SERVER_NAME" in variables:
            port = number_of(variables, "SERVER_PORT")
            base["server"] = variables["SERVER_NAME"], port
        if "REMOTE_ADDR" in variables:
            client = variables["REMOTE_ADDR"], number_of(variables, "REMOTE_PORT")
        return super().http(request, base, client)


def variables_of(request: Request) -> Variables:
    """What the proxy says beside the fields of a request."""
    section = request.section
    return section.variables if isinstance(section, SaidSection) else {}


def scheme_of(variables: Variables, otherwise: str) -> str:
    """How the client came to the proxy: nginx says it in two ways, and may in none."""
    if _SCHEME.isdisjoint(variables):
        return otherwise
    if variables.get("HTTPS", "").lower() in ("on", "1"):
        return "https"
    scheme = variables.get("UWSGI_SCHEME") or variables.get("REQUEST_SCHEME", "")
    return "https" if scheme.lower() == "https" else "http"


def number_of(variables: Variables, name: str) -> int:
    """A port; 0 if it is none."""
    text = variables.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 else 0
