"""Requests as scopes."""

from typing import Any

import pytest

from tiamat.gateways.asgi_scope import Scopes
from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.forwarded import Trust
from tiamat.protocol.proxy import ProxyHeader
from tiamat.protocol.proxy_tlvs import TLS, Details
from tiamat.protocol.request import Request


def scope(target: bytes = b"/", fields: Any = (), **options: Any) -> dict[str, Any]:
    """The scope of a request from 1.2.3.4."""
    scopes = Scopes(**options)
    request = Request("GET", target, "1.1", list(fields), dict(fields), b"")
    return scopes.http(request, scopes.base(("a", 80), "http"), ("1.2.3.4", 5))


def test_paths_are_decoded_and_kept_raw() -> None:
    """``path`` is text, ``raw_path`` and ``query_string`` what came."""
    found = scope(b"/caf%C3%A9%2F?a=%20")

    assert (found["path"], found["raw_path"]) == ("/café/", b"/caf%C3%A9%2F")
    assert found["query_string"] == b"a=%20"


def test_root_path_stands_before_the_path() -> None:
    """A path is the whole one, with what the application is mounted at."""
    found = scope(b"/x", root_path="/shop/")

    assert ("/shop", "/shop/x") == (found["root_path"], found["path"])


def test_everything_that_the_specification_names_is_there() -> None:
    """With its types."""
    found = scope(fields=[(b"host", b"a")], state={"k": 1})

    assert found["type"] == "http"
    assert found["asgi"]["version"] == "3.0"
    assert found["http_version"] == "1.1"
    assert found["client"] == ("1.2.3.4", 5)
    assert found["server"] == ("a", 80)
    assert found["headers"] == [(b"host", b"a")]
    assert found["state"] == {"k": 1}
    assert "state" not in scope()


def test_a_trusted_proxy_says_the_scheme() -> None:
    """And nobody else."""
    fields = [(b"x-forwarded-proto", b"https")]
    secure = {"x-forwarded-proto": "https"}

    assert scope(fields=fields, trust=Trust(["1.2.3.4"], secure))["scheme"] == "https"
    assert scope(fields=fields, trust=Trust(["1.2.3.5"], secure))["scheme"] == "http"


def test_forged_names_are_left_out_or_refused() -> None:
    """What only a proxy may set, from somebody who is none."""
    fields = [(b"script_name", b"/x"), (b"host", b"a")]
    trust = Trust(["1.2.3.5"], {}, ["SCRIPT_NAME"])

    assert scope(fields=fields, trust=trust)["headers"] == [(b"host", b"a")]
    with pytest.raises(ProtocolError):
        scope(fields=fields, trust=trust, refuse_underscores=True)


def test_a_websocket_has_its_own_scope() -> None:
    """No method, its scheme, its subprotocols."""
    scopes = Scopes()
    fields = {b"sec-websocket-protocol": b"a, b"}
    request = Request("GET", b"/", "1.1", list(fields.items()), fields, b"")
    found = scopes.websocket(request, scopes.base(("a", 80), "http"), None)

    assert (found["type"], found["scheme"]) == ("websocket", "ws")
    assert found["subprotocols"] == ["a", "b"]
    assert "method" not in found


def test_behind_a_proxy_header_the_server_is_what_it_says() -> None:
    """On that connection only; a header that names nobody changes nothing of it."""
    scopes = Scopes()
    base = scopes.base(("127.0.0.1", 8000), "http")
    details = Details(tls=TLS("TLSv1.3"), authority="example.org")
    header = ProxyHeader(2, ("192.0.2.7", 1), ("198.51.100.1", 443), details)
    behind = scopes.behind(base, header)
    local = scopes.behind(base, ProxyHeader(1))

    assert (("198.51.100.1", 443), "https") == (behind["server"], behind["scheme"])
    assert behind["tiamat.proxy_protocol"]["authority"] == "example.org"
    assert (base["server"], base["scheme"]) == (local["server"], local["scheme"])
    assert "tiamat.proxy_protocol" not in base


FORWARDED = [
    (b"host", b"inner"),
    (b"x-forwarded-for", b"192.0.2.7:99, 10.1.1.1"),
    (b"x-forwarded-host", b"shop.example"),
    (b"x-forwarded-prefix", b"/caf%C3%A9"),
]


def test_a_trusted_proxy_names_client_host_and_prefix() -> None:
    """In the style that is set; the path has the prefix, as the specification wants."""
    trust = Trust(["1.2.3.4", "10.0.0.0/8"], {}, style="x-forwarded")
    found = scope(b"/a", FORWARDED, trust=trust, root_path="/in")

    assert found["client"] == ("192.0.2.7", 99)
    assert found["headers"] == [(b"host", b"shop.example"), *FORWARDED[1:]]
    assert (found["root_path"], found["path"]) == ("/café/in", "/café/in/a")
    assert found["raw_path"] == b"/caf%C3%A9/in/a"


def test_nobody_else_is_heard() -> None:
    """The client is who is connected, whatever it says."""
    for style in ("x-forwarded-for", "x-forwarded"):
        found = scope(fields=FORWARDED, trust=Trust(["4.3.2.1"], {}, style=style))

        assert found["client"] == ("1.2.3.4", 5)
        assert found["headers"] == FORWARDED
        assert (found["root_path"], found["path"]) == ("", "/")
