"""What connections have of TLS; files that change are read again."""

import gc
import logging
import ssl
import weakref
from pathlib import Path
from typing import Any

import pytest
from authority import Authority, make_authority

from tiamat.drivers.security import KEPT, LOOK, Security
from tiamat.errors import TLSError
from tiamat.system.tls import Certificate, TLSValues, make_context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)


def security(authority: Authority, **values: Any) -> Security:
    """That of one certificate."""
    cert = str(authority.issue("localhost"))
    made = TLSValues(certificates=[Certificate(cert)], **values)
    log = logging.getLogger("tests.security")
    return Security(lambda: make_context(made), made.files, log)


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """The server's side of a handshake in memory."""
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = client.wrap_bio(one, other, server_hostname="localhost")
    ours = server.wrap_bio(other, one, server_side=True)
    for _ in range(4):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours


def test_files_that_change_make_a_new_context(authority: Authority) -> None:
    """When two looks have found the same; connections that are here keep theirs."""
    ours = security(authority)
    first = ours.context
    ours.look(0.0)
    authority.issue("localhost", "new.example")
    ours.look(LOOK / 2)
    assert ours.context is first
    ours.look(LOOK)
    assert ours.context is first
    ours.look(2 * LOOK)

    assert ours.context is not first
    second = ours.context
    ours.look(3 * LOOK)
    ours.look(4 * LOOK)
    assert ours.context is second


def test_broken_files_are_told_of_once(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """And what is in use stays, until there is something better."""
    ours = security(authority)
    first = ours.context
    (authority.directory / "server.pem").write_text("broken")
    for number in range(5):
        ours.look(number * LOOK)

    assert ours.context is first
    assert ["ERROR"] == [record.levelname for record in caplog.records]
    assert "there is no certificate in it" in caplog.text


def test_a_start_with_broken_files_fails(authority: Authority) -> None:
    """There is nothing that could be kept."""
    with pytest.raises(TLSError):
        security(authority, ca_certs="/nowhere")


def test_connections_without_a_certificate_share_their_base(
    authority: Authority,
) -> None:
    """One for each version and cipher of a listener."""
    ours = security(authority)
    base = {"HTTPS": "on"}
    tls = shake_hands(ours.context, authority.client())
    one, two = ours.environ(base, tls), ours.environ(base, tls)

    assert one is two
    assert "TLSv1.3" == one["SSL_PROTOCOL"]
    assert ours.environ({"HTTPS": "on", "other": 1}, tls)["other"] == 1
    assert {"HTTPS": "on"} == base


class Base(dict[str, Any]):
    """One of which it can be told whether it is still there."""


def test_bases_of_single_connections_are_not_kept(authority: Authority) -> None:
    """Behind a PROXY header each connection has its own, and they are endless."""
    ours = security(authority)
    tls = shake_hands(ours.context, authority.client())
    bases = [Base(number=number) for number in range(500)]
    kept = [weakref.ref(base) for base in bases]

    assert list(range(500)) == [ours.environ(base, tls)["number"] for base in bases]
    bases.clear()
    gc.collect()
    assert sum(base() is not None for base in kept) <= KEPT


def test_a_clients_certificate_is_told_of(authority: Authority) -> None:
    """Its text, and whose it is."""
    ours = security(authority, ca_certs=str(authority.path), cert_reqs=2)
    cert = authority.issue("a@b", file="client.pem", common="somebody")
    tls = shake_hands(ours.context, authority.client(cert))
    details = ours.details(tls)

    assert details.client_name is not None
    assert details.client_name.startswith("CN=somebody,")
    assert details.client_chain[0] in cert.read_text()
    assert details.server_cert is not None
    assert details.cipher_number == 0x1302
    environ = ours.environ({}, tls)
    assert details.client_chain[0] == environ["SSL_CLIENT_CERT"]
    scope = ours.scope({"extensions": {"x": {}}}, tls)
    assert {"x", "tls"} == set(scope["extensions"])
