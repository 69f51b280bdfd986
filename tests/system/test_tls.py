"""TLS contexts from plain values, and what is said of files that are no good."""

import os
import ssl
from pathlib import Path

import pytest
from authority import Authority, make_authority

from tiamat.errors import TLSError
from tiamat.system.tls import (
    Certificate,
    TLSValues,
    first_certificate,
    make_context,
    names_of,
    signature,
)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)


def values(cert: Path, key: Path | None = None, **others: object) -> TLSValues:
    """Those of one certificate."""
    item = Certificate(str(cert), str(key) if key else None)
    return TLSValues(certificates=[item], **others)  # type: ignore[arg-type]


def test_nothing_below_tls_1_2_is_spoken(authority: Authority) -> None:
    """And no client has us make new keys for it again and again."""
    context = make_context(values(authority.issue("localhost")))

    assert ssl.TLSVersion.TLSv1_2 == context.minimum_version
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert ssl.CERT_NONE == context.verify_mode


def test_ciphers_and_authorities_are_used(authority: Authority) -> None:
    """As the values say."""
    context = make_context(
        values(
            authority.issue("localhost"),
            ca_certs=str(authority.path),
            cert_reqs=2,
            ciphers="ECDHE-ECDSA-AES128-GCM-SHA256",
        )
    )

    names = {cipher["name"] for cipher in context.get_ciphers()}
    assert {"ECDHE-ECDSA-AES128-GCM-SHA256"} == {n for n in names if "TLS_" not in n}
    assert ssl.CERT_REQUIRED == context.verify_mode
    assert 1 == len(context.get_ca_certs())


def test_what_is_wrong_is_said_in_one_line(authority: Authority) -> None:
    """Which file, and why."""
    crt, key = authority.pair("localhost")
    _, other = authority.pair("localhost", file="other")
    directory = authority.directory
    empty, locked = directory / "empty", directory / "locked.key"
    empty.write_text("nothing")
    locked.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n")
    torn = directory / "torn.key"
    torn.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    ours = [
        (values(directory / "gone"), f"certfile {directory}/gone: No such file"),
        (values(directory), f"certfile {directory}: Is a directory"),
        (values(empty), f"certfile {empty}: there is no certificate in it (PEM)"),
        (values(crt), f"keyfile {crt}: there is no private key in it (PEM); name the"),
        (values(crt, other), f"keyfile {other}: does not belong to the certificate in"),
        (values(crt, locked), f"keyfile {locked}: it is encrypted; set keyfile_pass"),
        (values(crt, torn), f"keyfile {torn}: can't be used: "),
        (values(crt, key, ciphers="NONE-SUCH"), "ciphers = 'NONE-SUCH' names none"),
        (values(crt, key, ca_certs=str(empty)), f"ca_certs {empty}: there is no"),
    ]
    for case, words in ours:
        with pytest.raises(TLSError) as error:
            make_context(case)
        assert str(error.value).startswith(words)
        assert "\n" not in str(error.value)


def test_names_are_those_of_the_certificate_or_the_settings(
    authority: Authority,
) -> None:
    """In lower case, since names have none."""
    cert = str(authority.issue("LocalHost", "*.example.org", "127.0.0.1"))

    found = names_of(Certificate(cert))
    assert {"localhost", "*.example.org", "127.0.0.1"} == set(found)
    assert ["said.example"] == names_of(Certificate(cert, None, ("Said.example",)))


def test_the_first_certificate_is_the_one_that_is_shown(authority: Authority) -> None:
    """Behind it are those between it and its root, and perhaps the key."""
    cert = authority.issue("localhost")
    text = first_certificate(str(cert))

    assert text in cert.read_text()
    assert text.startswith("-----BEGIN CERTIFICATE-----\n")
    assert 1 == text.count("BEGIN")


def test_a_signature_changes_with_its_files(tmp_path: Path) -> None:
    """Also when one is replaced by another, is removed, or comes back."""
    path = tmp_path / "file"
    seen = [signature([str(path)])]
    path.write_text("one")
    seen.append(signature([str(path)]))
    (tmp_path / "new").write_text("two")
    os.utime(tmp_path / "new", ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    (tmp_path / "new").rename(path)
    seen.append(signature([str(path)]))

    assert 3 == len(set(seen))
    assert seen[2] == signature([str(path)])
