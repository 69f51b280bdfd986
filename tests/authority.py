"""Certificates for tests, and clients that trust who signed them."""

import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from running import LIMIT


@dataclass(frozen=True)
class Authority:
    """
    Who signs, and a directory for what it has signed.

    Attributes:
        path: its own certificate.
    """

    ca: trustme.CA
    directory: Path

    @property
    def path(self) -> Path:
        path = self.directory / "ca.pem"
        if not path.exists():
            self.ca.cert_pem.write_to_path(path)
        return path

    def issue(self, *names: str, file: str = "server.pem", common: str = "") -> Path:
        """A file with a key and a certificate for these names."""
        cert = self.ca.issue_cert(*names, common_name=common or None)
        path = self.directory / file
        beside = path.with_suffix(".written")
        cert.private_key_and_cert_chain_pem.write_to_path(beside)
        beside.rename(path)
        return path

    def pair(self, *names: str, file: str = "server") -> tuple[Path, Path]:
        """The same as two files: certificate and key."""
        cert = self.ca.issue_cert(*names)
        crt, key = (self.directory / f"{file}.{kind}" for kind in ("crt", "key"))
        cert.cert_chain_pems[0].write_to_path(crt)
        key.touch(0o600)  # whoever may not read it can not do so for a moment either
        cert.private_key_pem.write_to_path(key)
        return crt, key

    def client(self, cert: Path | None = None) -> ssl.SSLContext:
        """A client's context, perhaps with a certificate to show."""
        context = ssl.create_default_context(cafile=str(self.path))
        if cert is not None:
            context.load_cert_chain(cert)
        return context

    def connect(
        self,
        address: tuple[str, int],
        context: ssl.SSLContext | None = None,
        name: str = "localhost",
    ) -> ssl.SSLSocket:
        """A connection that has shaken hands; who hangs up on it is heard."""
        sock = socket.create_connection(address, timeout=LIMIT)
        context = context or self.client()
        return context.wrap_socket(
            sock, server_hostname=name, suppress_ragged_eofs=False
        )


def make_authority(directory: Path) -> Authority:
    """One that signs in this directory."""
    return Authority(trustme.CA(), directory)


def rest(sock: socket.socket) -> bytes:
    """All that comes until the end."""
    parts = []
    while data := sock.recv(65536):
        parts.append(data)
    return b"".join(parts)


def shown(sock: ssl.SSLSocket) -> set[str]:
    """For which names the certificate is that a server has shown."""
    certificate: Any = sock.getpeercert()
    return {value for _, value in certificate["subjectAltName"]}


def moment() -> None:
    """Let time go on a little, where a condition is asked for again and again."""
    time.sleep(0.02)
