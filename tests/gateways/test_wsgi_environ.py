"""Requests as an application sees them."""

from typing import Any

import pytest
from gateways.answers import Answer, nothing

from tiamat.gateways.wsgi_environ import Environs, take_ends
from tiamat.protocol.forwarded import Said, Trust
from tiamat.protocol.proxy import ProxyHeader
from tiamat.protocol.proxy_tlvs import TLS, Details


def test_the_environ_is_what_the_request_was() -> None:
    """
    Path decoded, query raw, repeated fields joined, cookies by a semicolon.
    """
    request = (
        b"GET /a%20b?c=%20 HTTP/1.1\r\nHost: a\r\nAccept: x\r\nAccept: y\r\n"
        b"Cookie: a=1\r\nCookie: b=2\r\nX_Y: spoof\r\nContent-Type: t\r\n\r\n"
    )

    environ = Answer(nothing, request).environ

    assert "/a b" == environ["PATH_INFO"]
    assert "c=%20" == environ["QUERY_STRING"]
    assert "/a%20b?c=%20" == environ["RAW_URI"]
    assert "x,y" == environ["HTTP_ACCEPT"]
    assert "a=1; b=2" == environ["HTTP_COOKIE"]
    assert "t" == environ["CONTENT_TYPE"]
    assert "HTTP_X_Y" not in environ
    assert ("1.2.3.4", "5") == (environ["REMOTE_ADDR"], environ["REMOTE_PORT"])


def test_the_mount_point_is_taken_off_the_path() -> None:
    """
    root_path is SCRIPT_NAME, and PATH_INFO what is below it.
    """

    request = b"GET /shop/cart HTTP/1.1\r\nHost: a\r\n\r\n"
    environ = Answer(nothing, request, script_name="/shop").environ

    assert ("/shop", "/cart") == (environ["SCRIPT_NAME"], environ["PATH_INFO"])


def test_the_scheme_of_a_trusted_proxy_is_believed() -> None:
    """
    X-Forwarded-Proto from a peer of forwarded_allow_ips makes the scheme https.
    """

    request = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n"
    secure = {"X-FORWARDED-PROTO": "https"}
    believed = Answer(nothing, request, trust=Trust(["1.2.3.4"], secure))
    strange = Answer(nothing, request, trust=Trust(["4.3.2.1"], secure))

    assert "https" == believed.environ["wsgi.url_scheme"]
    assert "http" == strange.environ["wsgi.url_scheme"]


def test_a_trusted_proxy_may_set_the_mount_point() -> None:
    """
    SCRIPT_NAME from a peer of forwarded_allow_ips is one, from others nothing.
    """

    request = (
        b"GET /shop/a HTTP/1.1\r\nHost: a\r\nSCRIPT_NAME: /shop\r\n"
        b"Remote_User: me\r\nX_Other: 1\r\n\r\n"
    )
    forwarders = ["SCRIPT_NAME", "REMOTE_USER"]
    believed = Answer(
        nothing, request, trust=Trust(["1.2.3.4"], {}, forwarders)
    ).environ
    strange = Answer(nothing, request, trust=Trust(["4.3.2.1"], {}, forwarders)).environ

    assert ("/shop", "/a") == (believed["SCRIPT_NAME"], believed["PATH_INFO"])
    assert "me" == believed["HTTP_REMOTE_USER"]
    assert ("", "/shop/a") == (strange["SCRIPT_NAME"], strange["PATH_INFO"])
    assert not {"HTTP_REMOTE_USER", "HTTP_SCRIPT_NAME", "HTTP_X_OTHER"} & {*strange}


def test_a_client_can_not_overwrite_what_its_proxy_says() -> None:
    """
    The dashed twin of a name that a trusted proxy sets changes nothing.
    """
    request = (
        b"GET /shop/a HTTP/1.1\r\nHost: a\r\nScript-Name: /0\r\n"
        b"SCRIPT_NAME: /shop\r\nREMOTE_USER: me\r\nScript-Name: /1\r\n"
        b"Remote-User: admin\r\n\r\n"
    )
    trust = Trust(["1.2.3.4"], {}, ["SCRIPT_NAME", "REMOTE_USER"])
    environ = Answer(nothing, request, trust=trust).environ

    assert ("/shop", "/a") == (environ["SCRIPT_NAME"], environ["PATH_INFO"])
    assert "me" == environ["HTTP_REMOTE_USER"]


def test_behind_a_proxy_header_the_server_is_what_it_says() -> None:
    """
    On that connection only; a header that names nobody changes nothing of it.
    """
    environs = Environs()
    base = environs.base("127.0.0.1", "8000", "http")
    details = Details(tls=TLS("TLSv1.3"), authority="example.org")
    header = ProxyHeader(2, ("192.0.2.7", 1), ("198.51.100.1", 443), details)
    behind = environs.behind(base, header)
    local = environs.behind(base, ProxyHeader(1))

    assert ("198.51.100.1", "443", "https") == ends(behind)
    assert "example.org" == behind["tiamat.proxy_protocol"]["authority"]
    assert ("127.0.0.1", "8000", "http") == ends(local) == ends(base)
    assert "tiamat.proxy_protocol" not in base


def ends(environ: dict[str, Any]) -> tuple[str, str, str]:
    """Where a request went to."""
    return environ["SERVER_NAME"], environ["SERVER_PORT"], environ["wsgi.url_scheme"]


FORWARDED = (
    b"GET /a HTTP/1.1\r\nHost: inner\r\nX-Forwarded-For: 192.0.2.7:99, 10.1.1.1\r\n"
    b"X-Forwarded-Host: shop.example\r\nX-Forwarded-Port: 8443\r\n"
    b"X-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /caf%C3%A9\r\n\r\n"
)
SECURE = {"X-FORWARDED-PROTO": "https"}


def test_a_trusted_proxy_names_client_host_and_prefix() -> None:
    """
    In the style that is set; what stands in front of the mount point comes first.
    """
    trust = Trust(["1.2.3.4", "10.0.0.0/8"], SECURE, style="x-forwarded")
    environ = Answer(nothing, FORWARDED, trust=trust, script_name="/a").environ

    assert ("192.0.2.7", "99") == (environ["REMOTE_ADDR"], environ["REMOTE_PORT"])
    assert ("shop.example:8443", "8443") == (
        environ["HTTP_HOST"], environ["SERVER_PORT"]
    )  # fmt: skip
    assert ("/caf\xc3\xa9/a", "") == (environ["SCRIPT_NAME"], environ["PATH_INFO"])
    assert "https" == environ["wsgi.url_scheme"]


@pytest.mark.parametrize(
    "trust",
    [
        Trust(["4.3.2.1"], SECURE, style="x-forwarded"),
        Trust(["4.3.2.1"], SECURE, style="x-forwarded-for"),
    ],
)
def test_nobody_else_is_heard(trust: Trust) -> None:
    """
    The client is who is connected, whatever it says.
    """
    environ = Answer(nothing, FORWARDED, trust=trust).environ

    assert ("1.2.3.4", "5") == (environ["REMOTE_ADDR"], environ["REMOTE_PORT"])
    assert ("inner", "80") == (environ["HTTP_HOST"], environ["SERVER_PORT"])
    assert ("", "/a") == (environ["SCRIPT_NAME"], environ["PATH_INFO"])
    assert "http" == environ["wsgi.url_scheme"]


@pytest.mark.parametrize(("scheme", "https"), [("http", None), ("https", "on")])
def test_https_is_what_the_scheme_says(scheme: str, https: str | None) -> None:
    """Also where a proxy speaks TLS to us, and plain HTTP to its client."""
    environ = {"wsgi.url_scheme": "https", "HTTPS": "on"}
    take_ends(environ, Said(scheme=scheme))

    assert (scheme, https) == (environ["wsgi.url_scheme"], environ.get("HTTPS"))
