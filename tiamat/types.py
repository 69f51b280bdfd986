"""Names that everyone shares: what WSGI and ASGI hand around."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, TypeAlias

Headers: TypeAlias = list[tuple[bytes, bytes]]
"""Names and values of one head, in the order of the wire."""

Environ: TypeAlias = dict[str, Any]
ExcInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
)


class StartResponse(Protocol):
    """The second argument of a WSGI application (PEP 3333)."""

    def __call__(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: ExcInfo | None = None,
        /,
    ) -> Callable[[bytes], object]: ...


WSGIApp: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

Scope: TypeAlias = dict[str, Any]
Message: TypeAlias = dict[str, Any]
"""What ASGI hands around."""

ASGIApp: TypeAlias = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


@dataclass(frozen=True, slots=True)
class TLSDetails:
    """
    What a TLS handshake has settled.

    Attributes:
        version: as OpenSSL names it: ``TLSv1.3``.
        cipher: the same.
        cipher_number: of the cipher, in IANA's table; None if unknown.
        server_cert: the certificate that we have shown, PEM; None if unknown.
        client_chain: those that the client has shown, PEM, its own first.
        client_name: whose it is, as RFC 4514 writes it; None if there is none.
    """

    version: str
    cipher: str
    cipher_number: int | None = None
    server_cert: str | None = None
    client_chain: tuple[str, ...] = ()
    client_name: str | None = None
