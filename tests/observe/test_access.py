"""Access lines: gunicorn's atoms, and nothing that a client can forge."""

import os
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from tiamat.observe import access

if TYPE_CHECKING:
    from tiamat.protocol.request import Request
    from tiamat.protocol.response import Response

COMBINED = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'


def line(
    format: str,
    *,
    target: bytes = b"/a%20b?x=1",
    headers: list[tuple[bytes, bytes]] | None = None,
    environ: dict[str, Any] | None = None,
    peer: tuple[str, str] = ("192.0.2.7", "4711"),
    seconds: float = 1.234567,
) -> str:
    """A line of *format* about a usual request."""
    request = SimpleNamespace(
        method="GET", target=target, version="1.1", fields=dict(headers or [])
    )
    response = SimpleNamespace(
        status=200,
        sent=512,
        headers=[(b"Content-Type", b"text/plain"), ("X-Text", "text")],
    )
    write = access.compile_format(format)
    return write(
        cast("Request", request),
        cast("Response", response),
        environ,
        peer,
        971211336.5,
        seconds,
    )


def test_the_default_format_is_the_combined_log_format() -> None:
    """With gunicorn's default format, log analysers read the lines."""
    headers = [(b"referer", b"http://a/"), (b"user-agent", b"curl/8")]

    found = line(COMBINED, headers=headers)

    pattern = (
        r"192\.0\.2\.7 - - \[\d\d/Oct/2000:\d\d:\d\d:\d\d [+-]\d{4}\] "
        r'"GET /a%20b\?x=1 HTTP/1\.1" 200 512 "http://a/" "curl/8"'
    )
    assert re.fullmatch(pattern, found)


@pytest.mark.parametrize(
    ("atom", "expected"),
    [
        ("%(h)s", "192.0.2.7"),
        ("%(l)s", "-"),
        ("%(u)s", "-"),
        ("%(r)s", "GET /a%20b?x=1 HTTP/1.1"),
        ("%(s)s", "200"),
        ("%(m)s", "GET"),
        ("%(U)s", "/a b"),
        ("%(q)s", "x=1"),
        ("%(H)s", "HTTP/1.1"),
        ("%(b)s", "512"),
        ("%(B)d", "512"),
        ("%(f)s", "-"),
        ("%(a)s", "-"),
        ("%(T)s", "1"),
        ("%(M)s", "1234"),
        ("%(D)s", "1234567"),
        ("%(L)s", "1.234567"),
        pytest.param("%(p)s", f"<{os.getpid()}>", id="process"),
        ("%({x-id}i)s", "-"),
        ("%({content-type}o)s", "text/plain"),
        ("%({x-text}o)s", "text"),
        ("%({X-Missing}o)s", "-"),
        ("%({wsgi.url_scheme}e)s", "-"),
        ("%(D)010d|%(m)5s", "0001234567|  GET"),
        ("100%% %(s)s", "100% 200"),
    ],
)
def test_each_atom_has_gunicorns_meaning(atom: str, expected: str) -> None:
    """Every atom of gunicorn's documentation is there, with its meaning."""
    assert expected == line(atom)


def test_headers_are_found_whatever_their_case() -> None:
    """``%({X-Request-ID}i)s`` finds ``x-request-id``."""
    assert line("%({X-Request-ID}i)s", headers=[(b"x-request-id", b"42")]) == "42"


def test_variables_of_the_environ_are_shown() -> None:
    """``%({NAME}e)s`` is a variable of the environ, whatever its type."""
    assert line("%({wsgi.run_once}e)s", environ={"wsgi.run_once": True}) == "True"


def test_middleware_may_mend_the_clients_address() -> None:
    """An address that a proxy middleware put into the environ is the one shown."""
    assert line("%(h)s", environ={"REMOTE_ADDR": "203.0.113.9"}) == "203.0.113.9"
    assert line("%(h)s", environ={"client": ("203.0.113.9", 0)}) == "203.0.113.9"


def test_a_unix_socket_has_no_address() -> None:
    """A peer on a Unix socket is a dash, not an empty field."""
    assert line("%(h)s", peer=("", "")) == "-"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Basic Zm9vOmJhcg==", "foo"),
        (b"basic Zm9vOmJhcg==", "foo"),
        (b"Basic !!!", "-"),
        (b"Basic Og==", "-"),
        (b"Bearer x", "-"),
        (b"Basic ZVwiCjp4", r"e\\\"\x0a"),
    ],
)
def test_the_user_is_that_of_basic_authentication(value: bytes, expected: str) -> None:
    """A user's name is shown, escaped; broken credentials are a dash."""
    assert expected == line("%(u)s", headers=[(b"authorization", value)])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'a" 200 5 "', r"a\" 200 5 \""),
        (b"a\\", r"a\\"),
        (b"a\r\nb\x00\x1b[2J", r"a\x0d\x0ab\x00\x1b[2J"),
        (b"men\xc3\xbc", r"men\xc3\xbc"),
        (b"\x7f\x85", r"\x7f\x85"),
    ],
)
def test_a_client_cannot_forge_fields_or_lines(value: bytes, expected: str) -> None:
    """Quotes, backslashes, control and foreign bytes of a client are escaped."""
    assert expected == line("%(a)s", headers=[(b"user-agent", value)])


def test_an_encoded_line_end_stays_encoded_in_the_path() -> None:
    """``%0a`` in a target is decoded for ``%(U)s`` and escaped again."""
    assert line("%(U)s", target=b"/a%0ab") == r"/a\x0ab"
    assert line("%(U)s", environ={"PATH_INFO": "/€"}) == r"/\xe2\x82\xac"


def test_a_request_that_was_refused_has_a_line_too() -> None:
    """Without a request the line has dashes, and the status that was sent."""
    write = access.compile_format(COMBINED + " %(m)s %(U)s %(H)s [%(q)s]")
    response = cast("Response", SimpleNamespace(status=400, sent=0, headers=[]))

    found = write(None, response, None, ("192.0.2.7", "1"), 0.0, 0.0)

    assert found.endswith('"-" 400 - "-" "-" - - - []')


def test_an_atom_that_is_none_is_a_dash() -> None:
    """As with gunicorn; so a format of a site's goes on working."""
    write = access.compile_format("%(x)s %({}i)s %(s)s")
    response = cast("Response", SimpleNamespace(status=200, sent=0, headers=[]))

    assert "- - 200" == write(None, response, None, ("", ""), 0.0, 0.0)
    assert ["x", "{}i"] == access.unknown_atoms("%(x)s %({}i)s %(s)s %% %({Host}i)s")


@pytest.mark.parametrize(
    ("format", "complaint"),
    [
        ("%h", r"'%h' at column 1 is no atom"),
        ("50%", "'%' at column 3 is no atom"),
        ("%(h)d", r"write %\(h\)s, not '%\(h\)d'"),
        ("%(h)", "no atom"),
        ("%(s)!", r"write %\(s\)s"),
    ],
)
def test_a_wrong_format_is_refused_with_the_cure(format: str, complaint: str) -> None:
    """A format that can't be read is an error at the start, not in a request."""
    with pytest.raises(ValueError, match=complaint):
        access.compile_format(format)
