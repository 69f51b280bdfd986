"""TLS as the connections of one worker have it; its files are read again."""

import ssl
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

from tiamat.drivers.tls import TLSSocket
from tiamat.errors import TLSError
from tiamat.gateways import tls as told
from tiamat.system.poller import OUT
from tiamat.system.tls import signature
from tiamat.types import Environ, Scope, TLSDetails

if TYPE_CHECKING:
    from tiamat.drivers.connection import EventedConnection

LOOK: Final = 0.9
"""Seconds between two looks whether the files have changed."""

KEPT: Final = 64
"""The most bases that are kept for others: of listeners, by version and cipher."""


class Security:
    """
    The context of new connections, and what applications are told of each.

    Args:
        load: Makes a context from the files. Raises TLSError.
        files: That are read for it; the first is the certificate.
        log: What is wrong with new ones.
        ragged: Whether a client that goes without a word has just ended.
        plain: The descriptors of the listeners that have no TLS.

    Attributes:
        context: Of the connections that come; those that are here keep theirs.
    """

    def __init__(
        self,
        load: Callable[[], ssl.SSLContext],
        files: Sequence[str],
        log: Any,
        *,
        ragged: bool = True,
        plain: Collection[int] = (),
    ) -> None:
        self._load = load
        self._files = list(files)
        self._log = log
        self.ragged = ragged
        self._plain = frozenset(plain)
        self._seen = self._loaded = signature(self._files)
        self._look_at = 0.0
        self.context = self._made()

    # The files

    def look(self, now: float) -> None:
        """
        Read the files again if they have changed. Cheap: most calls do nothing.

        Not before two looks have found the same: a certificate and its key are
        written one after the other.

        Args:
            now: The monotonic clock.
        """
        if now < self._look_at:
            return
        self._look_at = now + LOOK
        found = signature(self._files)
        settled, self._seen = found == self._seen, found
        if settled and found != self._loaded:
            self._loaded = found
            self._reread()

    def _reread(self) -> None:
        try:
            self.context = self._made()
        except TLSError as error:
            cause = error.__cause__
            self._log.error("the certificate in use is kept: %s", error, exc_info=cause)
        else:
            self._log.info("new certificates: %s", ", ".join(self._files))

    def _made(self) -> ssl.SSLContext:
        context = self._load()
        self._numbers = {
            cipher["name"]: cipher["id"] & 0xFFFF for cipher in context.get_ciphers()
        }
        self._bases: dict[tuple[int, str, str], tuple[Environ, Environ]] = {}
        return context

    # What applications are told

    def details(self, tls: Any) -> TLSDetails:
        """What a handshake has settled, by OpenSSL's side of it."""
        cipher = tls.cipher()[0]
        chain: tuple[str, ...] = ()
        name = None
        if tls.context.verify_mode != ssl.CERT_NONE:
            own = tls.getpeercert(True)
            if own:
                ders = [own]
                if hasattr(tls, "get_unverified_chain"):  # Python 3.13
                    ders = tls.get_unverified_chain()
                chain = tuple(ssl.DER_cert_to_PEM_cert(der) for der in ders)
                name = told.distinguished_name(tls.getpeercert()["subject"])
        return TLSDetails(
            tls.version(), cipher, self._numbers.get(cipher),
            getattr(tls.context, "certificate", None), chain, name,
        )  # fmt: skip

    def environ(self, base: Environ, tls: Any) -> Environ:
        """What the environs of a connection have in common; shared where it can be."""
        if tls.context.verify_mode != ssl.CERT_NONE:
            return base | told.variables(self.details(tls))
        key = id(base), tls.version(), tls.cipher()[0]
        found = self._bases.get(key)
        if found is None or found[0] is not base:
            made = base.copy()  # has its room, which `|` would not give
            made.update(told.variables(self.details(tls)))
            found = base, made
            if len(self._bases) < KEPT:  # behind PROXY headers each has its own
                self._bases[key] = found
        return found[1]

    def scope(self, base: Scope, tls: Any) -> Scope:
        """What the scopes of a connection have in common."""
        extensions = {**base["extensions"], "tls": told.extension(self.details(tls))}
        return {**base, "extensions": extensions}

    # Connections

    def secures(self, listener: Any) -> bool:
        """Whether those that are accepted on this socket have TLS."""
        return listener.fileno() not in self._plain

    def connect(
        self, kind: Callable[..., "EventedConnection"]
    ) -> Callable[..., "EventedConnection"]:
        """What makes connections in place of their class."""

        def make(
            loop: Any, sock: Any, peer: tuple[str, str], base: Environ
        ) -> "EventedConnection":
            if "HTTPS" not in base:
                return kind(loop, sock, peer, base)
            sock = TLSSocket(sock, self.context, ragged=self.ragged)
            connection = kind(loop, sock, peer, base)
            sock.opening = Handshake(self, connection)
            return connection

        return make


class Handshake:
    """The handshake of one connection, as that hears of it."""

    __slots__ = ("_connection", "_security")

    def __init__(self, security: Security, connection: "EventedConnection") -> None:
        self._security = security
        self._connection = connection

    def goes_on(self, sent: bool) -> None:
        """It waits for the client, to send more or to take what was *sent*."""
        connection = self._connection
        if not sent:
            connection.loop.watch(connection, OUT)

    def failed(self, error: OSError) -> None:
        """It has come to nothing."""
        connection = self._connection
        connection.loop.service.log.debug(
            "TLS handshake with %s failed: %s", connection.peer[0], error
        )

    def done(self, tls: Any) -> None:
        """The connection is what it seems: the first request may come."""
        connection = self._connection
        connection.base = self._security.environ(connection.base, tls)
