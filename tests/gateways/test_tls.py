"""What applications are told of TLS."""

import pytest

from tiamat.gateways.tls import distinguished_name, extension, variables
from tiamat.types import TLSDetails

PLAIN = TLSDetails("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", 0xC02F, "PEM")
KNOWN = TLSDetails(
    "TLSv1.3", "TLS_AES_128_GCM_SHA256", 0x1301, None, ("A", "B"), "CN=a"
)


def test_variables_are_mod_ssls() -> None:
    """A client's certificate only if there is one."""
    assert variables(PLAIN) == {
        "SSL_PROTOCOL": "TLSv1.2",
        "SSL_CIPHER": "ECDHE-RSA-AES128-GCM-SHA256",
        "SSL_CLIENT_VERIFY": "NONE",
    }
    assert variables(KNOWN) == {
        "SSL_PROTOCOL": "TLSv1.3",
        "SSL_CIPHER": "TLS_AES_128_GCM_SHA256",
        "SSL_CLIENT_VERIFY": "SUCCESS",
        "SSL_CLIENT_CERT": "A",
        "SSL_CLIENT_S_DN": "CN=a",
    }


def test_the_extension_is_as_its_specification_has_it() -> None:
    """Every key is there, with None for what is unknown."""
    assert extension(PLAIN) == {
        "server_cert": "PEM",
        "client_cert_chain": [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": 0x0303,
        "cipher_suite": 0xC02F,
    }
    assert extension(KNOWN)["client_cert_chain"] == ["A", "B"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ((), ""),
        (
            ((("countryName", "DE"),), (("commonName", "a"),)),
            "CN=a,C=DE",
        ),
        (
            ((("commonName", "a"), ("userId", "7")), (("emailAddress", "a@b"),)),
            "emailAddress=a@b,CN=a+UID=7",
        ),
        (((("commonName", 'a,b+c"d\\e<f>;'),),), 'CN=a\\,b\\+c\\"d\\\\e\\<f\\>\\;'),
        (((("commonName", "#a "),),), "CN=\\#a\\ "),
        (((("commonName", " "),),), "CN=\\ "),
        (((("commonName", "a\0b"),),), "CN=a\\00b"),
    ],
)
def test_names_are_written_as_rfc_4514_has_it(
    name: tuple[tuple[tuple[str, str], ...], ...], text: str
) -> None:
    """The last part first; nobody makes two parts of one by a comma."""
    assert text == distinguished_name(name)
