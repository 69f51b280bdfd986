"""
TLS contexts from plain values: what is wrong with a file is said in one line.

Nothing here is bound from ``ssl`` by name: gevent replaces its classes later.
"""

import os
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tiamat.errors import TLSError

ALPN: Final = ("http/1.1",)

_SCHEMES: Final = {
    "KEY_VALUES_MISMATCH": "does not belong to the certificate in {cert}",
    "BAD_DECRYPT": "can't be decrypted: keyfile_password is wrong",
    "BAD_PASSWORD_READ": "is encrypted: set keyfile_password",
    "EE_KEY_TOO_SMALL": "belongs to a certificate whose key is too short to be safe",
    "CA_MD_TOO_WEAK": "belongs to a certificate whose signature is too weak",
}


class Certificate(NamedTuple):
    """
    Where a certificate and its key are.

    Attributes:
        cert: the file with the certificate, and those between it and its root.
        key: the file with the key; None if that is in the same file.
        names: for which clients that ask so it is; of the certificate if empty.
    """

    cert: str
    key: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSValues:
    """
    All that a context is made of.

    Attributes:
        certificates: the first is for who asks for a name that none has.
        password: of the keys, if they are encrypted.
        ca_certs: the file of those whose word on clients is taken.
        cert_reqs: whether clients show a certificate: 0 no, 1 if they like, 2 yes.
        ciphers: up to TLS 1.2, as OpenSSL writes them; None is Python's choice.
    """

    certificates: Sequence[Certificate]
    password: str | None = None
    ca_certs: str | None = None
    cert_reqs: int = 0
    ciphers: str | None = None

    @property
    def files(self) -> list[str]:
        """All that is read."""
        names = [name for item in self.certificates for name in (item.cert, item.key)]
        return [name for name in (*names, self.ca_certs) if name]


def make_context(values: TLSValues) -> ssl.SSLContext:
    """
    The context of a server, with a certificate for each name.

    Raises:
        TLSError: a file can't be used; the text says which and why.
    """
    contexts = [_context(values, item) for item in values.certificates]
    first = contexts[0]
    if len(contexts) > 1:
        pairs = zip(contexts, values.certificates, strict=True)
        named = {name: context for context, item in pairs for name in names_of(item)}
        choose = _Chooser(named)
        first.sni_callback = choose
    return first


class _Chooser:
    """Chooses a context by the name that a client asks for (RFC 6066, 3)."""

    def __init__(self, named: Mapping[str, ssl.SSLContext]) -> None:
        self._named = named

    def __call__(self, tls: Any, name: str | None, context: object) -> None:
        if name is None:
            return
        name = name.lower().rstrip(".")
        found = self._named.get(name) or self._named.get(
            "*." + name.partition(".")[2]  # RFC 9525, 6.3: one label, the first
        )
        if found is not None:
            tls.context = found


def _context(values: TLSValues, item: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
    # A client that wants new keys again and again costs us more than itself.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(list(ALPN))
    if values.ciphers:
        try:
            context.set_ciphers(values.ciphers)
        except ssl.SSLError:
            raise TLSError(
                f"ciphers = {values.ciphers!r} names none that OpenSSL has"
            ) from None
    load_certificate(context, item, values.password)
    setattr(context, "certificate", first_certificate(item.cert))  # noqa: B010
    context.verify_mode = ssl.VerifyMode(values.cert_reqs)
    if values.ca_certs:
        load_authorities(context, values.ca_certs)
    return context


def load_certificate(
    context: ssl.SSLContext, item: Certificate, password: str | None
) -> None:
    """
    Read a certificate and its key.

    Raises:
        TLSError: they can't be used.
    """
    cert, key = item.cert, item.key or item.cert
    if "-----BEGIN CERTIFICATE-----" not in _text(cert, "certfile"):
        raise TLSError(f"certfile {cert}: there is no certificate in it (PEM)")
    text = _text(key, "keyfile")
    if "PRIVATE KEY-----" not in text:
        hint = "" if item.key else "; name the file of the key as keyfile"
        raise TLSError(f"keyfile {key}: there is no private key in it (PEM){hint}")
    if "ENCRYPTED" in text and not password:
        raise TLSError(f"keyfile {key}: it is encrypted; set keyfile_password")
    try:
        # A password in any case: without one OpenSSL would ask the terminal.
        context.load_cert_chain(cert, item.key, password or "")
    except (ssl.SSLError, ValueError) as error:
        why = getattr(error, "reason", "") or ""
        words = _SCHEMES.get(why, f"can't be used: {_words(error)}")
        raise TLSError(f"keyfile {key}: {words.format(cert=cert)}") from None


def load_authorities(context: ssl.SSLContext, path: str) -> None:
    """
    Read those whose word on clients is taken.

    Raises:
        TLSError: they can't be read.
    """
    if "-----BEGIN " not in _text(path, "ca_certs"):
        raise TLSError(f"ca_certs {path}: there is no certificate in it (PEM)")
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise TLSError(f"ca_certs {path}: {_words(error)}") from None


def _text(path: str, setting: str) -> str:
    try:
        with open(path, encoding="latin-1") as file:
            return file.read()
    except OSError as error:
        raise TLSError(f"{setting} {path}: {error.strerror}") from None


def _words(error: Exception) -> str:
    """What OpenSSL says, without where in its source that is."""
    text = str(getattr(error, "reason", None) or error)
    return text.lower().replace("_", " ")


def names_of(item: Certificate) -> Iterable[str]:
    """For which names a certificate is, in lower case; ``*.`` stands for one label."""
    if item.names:
        return [name.lower() for name in item.names]
    # Python has no public function for that, and OpenSSL's own choice by name no
    # door; its tests have read certificates so since 2010.
    decoded = ssl._ssl._test_decode_cert(item.cert)  # type: ignore[attr-defined]
    return [
        value.lower()
        for kind, value in decoded.get("subjectAltName", ())
        if kind in ("DNS", "IP Address")
    ]


def first_certificate(path: str) -> str:
    """The PEM text of the first certificate in a file: the one that is shown."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    middle = _text(path, "certfile").partition(begin)[2].partition(end)[0]
    return f"{begin}{middle}{end}\n"


def signature(files: Iterable[str]) -> tuple[object, ...]:
    """What changes when one of these files does."""
    return tuple(_identity(name) for name in files)


def _identity(name: str) -> object:
    try:
        status = os.stat(name)
    except OSError as error:
        return error.errno
    return status.st_mtime_ns, status.st_ino, status.st_size
