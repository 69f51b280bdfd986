"""Requests of uwsgi as environ and as scope."""

from typing import Any

import pytest
from protocol.packets import packed

from tiamat.gateways.uwsgi import UwsgiEnvirons, UwsgiScopes
from tiamat.protocol.forwarded import Trust
from tiamat.protocol.headers import Names
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser_httptools import Parser
from tiamat.protocol.request import Request
from tiamat.protocol.uwsgi import UwsgiConnection


def request(**changes: str | None) -> Request:
    """The request of a packet."""
    connection = UwsgiConnection(Limits(), Parser, Names("drop"))
    connection.receive_data(packed(**changes))
    return connection.requests[0]


def environ(made: Request, **options: Any) -> dict[str, Any]:
    """The environ of a request, from a proxy on this machine."""
    environs = UwsgiEnvirons(**options)
    return environs.make(
        made, environs.base("127.0.0.1", "80", "http"), ("127.0.0.1", "9")
    )


def scope(made: Request, **options: Any) -> dict[str, Any]:
    """The same as a scope."""
    scopes = UwsgiScopes(**options)
    return scopes.http(made, scopes.base(("127.0.0.1", 80), "http"), ("127.0.0.1", 9))


def test_an_environ_is_what_the_proxy_says() -> None:
    """Both ends, the scheme, the fields, and variables of the site's own."""
    made = environ(request())

    assert ("192.0.2.7", "4711") == (made["REMOTE_ADDR"], made["REMOTE_PORT"])
    assert ("shop.example", "8443") == (made["SERVER_NAME"], made["SERVER_PORT"])
    assert ("https", "/a b", "q=%20") == (
        made["wsgi.url_scheme"], made["PATH_INFO"], made["QUERY_STRING"]
    )  # fmt: skip
    assert ("shop.example:8443", "1", "me") == (
        made["HTTP_HOST"], made["HTTP_X_ONE"], made["REMOTE_USER"]
    )  # fmt: skip
    assert "/a%20b?q=%20" == made["RAW_URI"]
    assert not {"HTTP_CONNECTION", "HTTPS", "CONTENT_LENGTH"} & made.keys()


def test_a_scope_is_what_the_proxy_says() -> None:
    """The variables are under one name."""
    made = scope(request())

    assert made["client"] == ("192.0.2.7", 4711)
    assert made["server"] == ("shop.example", 8443)
    assert (made["scheme"], made["path"]) == ("https", "/a b")
    assert made["tiamat.uwsgi"]["REMOTE_USER"] == "me"
    assert (b"x-one", b"1") in made["headers"]


@pytest.mark.parametrize(
    ("changes", "scheme"),
    [
        ({}, "https"),
        ({"HTTPS": ""}, "http"),
        ({"HTTPS": None, "REQUEST_SCHEME": "https"}, "https"),
        ({"HTTPS": "", "REQUEST_SCHEME": "http"}, "http"),
        ({"HTTPS": None, "UWSGI_SCHEME": "https"}, "https"),
        ({"HTTPS": None}, "http"),
    ],
)
def test_the_scheme_is_said_in_several_ways(
    changes: dict[str, str | None], scheme: str
) -> None:
    """What isn't said is that of the socket."""
    assert scheme == environ(request(**changes))["wsgi.url_scheme"]
    assert scheme == scope(request(**changes))["scheme"]


def test_the_mount_point_is_the_proxys() -> None:
    """Whether it has cut that off the path or not."""
    for path in ("/a", "/shop/a"):
        made = environ(request(SCRIPT_NAME="/shop", PATH_INFO=path))

        assert ("/shop", "/a") == (made["SCRIPT_NAME"], made["PATH_INFO"])


def test_a_variable_is_none_of_the_servers() -> None:
    """Names with a dot are those of the specification and of ours."""
    made = environ(request(**{"wsgi.input": "x", "SERVER_SOFTWARE": "x"}))

    assert made["wsgi.input"] != "x"
    assert made["SERVER_SOFTWARE"] != "x"


def test_fields_are_believed_by_the_client_and_not_by_the_proxy() -> None:
    """The proxy passes on what the client wrote."""
    fields = {"HTTP_X_FORWARDED_PROTO": "https", "HTTPS": None}
    secure = {"X-FORWARDED-PROTO": "https"}
    strange = environ(request(**fields), trust=Trust(["127.0.0.1"], secure))
    believed = environ(request(**fields), trust=Trust(["192.0.2.7"], secure))

    assert "http" == strange["wsgi.url_scheme"]
    assert "https" == believed["wsgi.url_scheme"]


def test_a_request_of_http_is_what_it_is() -> None:
    """The worker's own, under ``reload_check``."""
    plain = Request("GET", b"/", "1.1", [], {}, b"")

    assert "127.0.0.1" == environ(plain)["REMOTE_ADDR"]
    assert scope(plain)["client"] == ("127.0.0.1", 9)
    assert scope(request(REMOTE_PORT="x", SERVER_PORT=None))["client"][1] == 0
