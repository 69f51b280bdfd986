"""What applications are told of TLS: variables of WSGI, an extension of ASGI."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tiamat.types import Environ, Scope, TLSDetails

_VERSIONS: Final = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}

# RFC 4514, 3, and of IANA's LDAP descriptors what OpenSSL names differently.
_TYPES: Final = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
    "surname": "sn",
}

_SPECIAL: Final = frozenset('"+,;<>\\')

Name = Iterable[Iterable[tuple[str, str]]]
"""A distinguished name as Python's ``getpeercert`` gives it."""


def variables(details: TLSDetails) -> Environ:
    """What stands in an environ, by the names that mod_ssl has for it."""
    found = {
        "SSL_PROTOCOL": details.version,
        "SSL_CIPHER": details.cipher,
        "SSL_CLIENT_VERIFY": "NONE",
    }
    if details.client_chain:
        found["SSL_CLIENT_VERIFY"] = "SUCCESS"
        found["SSL_CLIENT_CERT"] = details.client_chain[0]
        found["SSL_CLIENT_S_DN"] = details.client_name or ""
    return found


def marked(extensions: Mapping[str, Any]) -> dict[str, Any]:
    """The extensions of a listener with TLS, before a handshake has filled them in."""
    return {**extensions, "tls": {}}


def has_tls(base: Scope) -> bool:
    """Whether what scopes on a listener have in common is of one with TLS."""
    return "tls" in base["extensions"]


def extension(details: TLSDetails) -> dict[str, Any]:
    """
    What stands in a scope's ``extensions["tls"]``.

    Source: https://asgi.readthedocs.io/en/latest/specs/tls.html. A certificate that
    does not pass ends the handshake, so there never is a ``client_cert_error``.
    """
    return {
        "server_cert": details.server_cert,
        "client_cert_chain": list(details.client_chain),
        "client_cert_name": details.client_name,
        "client_cert_error": None,
        "tls_version": _VERSIONS.get(details.version),
        "cipher_suite": details.cipher_number,
    }


def distinguished_name(name: Name) -> str:
    """A name as RFC 4514 writes it: the last part first."""
    parts = [
        "+".join(f"{_TYPES.get(kind, kind)}={escaped(value)}" for kind, value in part)
        for part in name
    ]
    return ",".join(reversed(parts))


def escaped(value: str) -> str:
    """A value of a name (RFC 4514, 2.4)."""
    text = "".join(
        "\\00" if char == "\0" else "\\" + char if char in _SPECIAL else char
        for char in value
    )
    if text[:1] in ("#", " "):
        text = "\\" + text
    if text[-1:] == " " and len(value) > 1:
        text = text[:-1] + "\\ "
    return text
