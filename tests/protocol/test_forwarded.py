"""Whom to believe about the client."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.forwarded import Said, Style, Trust
from tiamat.protocol.request import Request

STEADY = settings(max_examples=200, deadline=None, derandomize=True)

PROXIES = ["10.0.0.0/8", "2001:db8:1::/48"]
NAMES = [
    "forwarded",
    *(f"x-forwarded-{name}" for name in ("for", "proto", "host", "port", "prefix")),
]
SECURE = {"X-FORWARDED-PROTO": "https", "X-FORWARDED-SSL": "on"}


@pytest.mark.parametrize(
    ("fields", "scheme"),
    [
        ({}, None),
        ({b"x-forwarded-proto": b"https"}, "https"),
        ({b"x-forwarded-proto": b"http"}, "http"),
        ({b"x-forwarded-proto": b"https", b"x-forwarded-ssl": b"on"}, "https"),
        ({b"x-forwarded-proto": b"http, https"}, "https"),
        ({b"x-forwarded-proto": b"https,http"}, "http"),
    ],
)
def test_the_scheme_is_what_the_proxy_says(
    fields: dict[bytes, bytes], scheme: str | None
) -> None:
    """
    The value that means https does, any other means http; and of a list the last.
    """
    assert scheme == Trust([], SECURE).scheme(fields)


def test_a_contradiction_is_refused() -> None:
    """
    Two fields that say different things are 400: one of them is forged.
    """
    fields = {b"x-forwarded-proto": b"https", b"x-forwarded-ssl": b"off"}
    with pytest.raises(ProtocolError):
        Trust([], SECURE).scheme(fields)


def read(style: Style, *fields: tuple[str, str], networks: list[str] = PROXIES) -> Said:
    """What a peer of ours is heard to say with these fields."""
    headers = [(name.encode(), value.encode("latin-1")) for name, value in fields]
    merged: dict[bytes, bytes] = {}
    for name, value in headers:
        merged[name] = merged[name] + b", " + value if name in merged else value
    request = Request("GET", b"/", "1.1", headers, merged, b"")
    return Trust(networks, SECURE, style=style).read(request)


@pytest.mark.parametrize(
    ("hops", "client"),
    [
        ("192.0.2.7", ("192.0.2.7", 0)),
        ("192.0.2.7:4711", ("192.0.2.7", 4711)),
        ("203.0.113.1, 192.0.2.7", ("192.0.2.7", 0)),
        ("203.0.113.1, 192.0.2.7, 10.1.1.1", ("192.0.2.7", 0)),
        ("192.0.2.7,10.1.1.1 ,\t2001:db8:1::1", ("192.0.2.7", 0)),
        ("10.2.2.2, 10.1.1.1", ("10.2.2.2", 0)),
        ("192.0.2.7, unknown, 10.1.1.1", ("10.1.1.1", 0)),
        ("192.0.2.7, _hidden", None),
        ("192.0.2.7, <script>", None),
        ("192.0.2.7, ", None),
        ("", None),
    ],
)
def test_the_client_is_the_first_stranger_from_the_right(
    hops: str, client: tuple[str, int] | None
) -> None:
    """
    What stands left of it is its own word; what can't be read ends the chain.
    """
    for style in ("x-forwarded-for", "x-forwarded"):
        assert client == read(style, ("x-forwarded-for", hops)).client
    assert read("none", ("x-forwarded-for", hops)).client is None
    assert read("forwarded", ("x-forwarded-for", hops)).client is None


def test_lines_of_one_field_are_one_list() -> None:
    """
    RFC 9110, 5.3: a proxy may add a line instead of a word.
    """
    lines = ("x-forwarded-for", "192.0.2.7"), ("x-forwarded-for", "10.1.1.1")

    assert ("192.0.2.7", 0) == read("x-forwarded-for", *lines).client


def test_who_trusts_everybody_gets_the_leftmost() -> None:
    """
    As with uvicorn: then anybody may say anything.
    """
    field = "x-forwarded-for", "203.0.113.1, 192.0.2.7"

    assert ("203.0.113.1", 0) == read("x-forwarded-for", field, networks=["*"]).client


def test_host_port_and_prefix_are_the_last_ones() -> None:
    """
    Only in the style that asks for them: many proxies pass the client's own on.
    """
    fields = (
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example, shop.example"),
        ("x-forwarded-port", "1, 8443"),
        ("x-forwarded-prefix", "//evil, /shop/"),
    )
    said = read("x-forwarded", *fields)

    assert ("https", b"shop.example:8443", 8443, b"/shop") == (
        said.scheme, said.host, said.port, said.prefix
    )  # fmt: skip
    assert (b"", 0, b"") == (
        (s := read("x-forwarded-for", *fields)).host, s.port, s.prefix
    )  # fmt: skip


@pytest.mark.parametrize(
    ("host", "port", "scheme", "expected"),
    [
        ("a", "443", "https", b"a"),
        ("a", "80", "http", b"a"),
        ("a", "80", "https", b"a:80"),
        ("a:1", "2", "http", b"a:1"),
        ("[::1]", "2", "http", b"[::1]:2"),
        ("[::1]:1", "2", "http", b"[::1]:1"),
    ],
)
def test_a_port_completes_a_host(
    host: str, port: str, scheme: str, expected: bytes
) -> None:
    """
    Unless it has its own, or it is the scheme's.
    """
    said = read(
        "x-forwarded", ("x-forwarded-host", host), ("x-forwarded-port", port),
        ("x-forwarded-proto", scheme),
    )  # fmt: skip

    assert expected == said.host


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", "a b"),
        ("host", "a/b"),
        ("host", "user@a"),
        ("port", "0"),
        ("port", "65536"),
        ("port", "-1"),
        ("port", "8o"),
        ("port", "000080"),
        ("prefix", "shop"),
        ("prefix", "//evil.example"),
        ("prefix", "/a//b"),
        ("prefix", "/a?b"),
        ("prefix", "/a#b"),
        ("prefix", "/a\\b"),
        ("prefix", "/a b"),
        ("prefix", "/\xe9"),
    ],
)
def test_a_host_port_or_prefix_that_is_none_is_refused(name: str, value: str) -> None:
    """
    A URL made of it would lead elsewhere, and who passes it on is misled already.
    """
    with pytest.raises(ProtocolError):
        read("x-forwarded", (f"x-forwarded-{name}", value))


@pytest.mark.parametrize(
    ("lines", "client", "scheme", "host"),
    [
        (["for=192.0.2.7;proto=https;host=a"], ("192.0.2.7", 0), "https", b"a"),
        (["for=192.0.2.7;proto=wss"], ("192.0.2.7", 0), "https", b""),
        (["for=192.0.2.7;proto=gopher"], ("192.0.2.7", 0), None, b""),
        (["for=203.0.113.1;host=evil, for=192.0.2.7"], ("192.0.2.7", 0), None, b""),
        (
            ["for=192.0.2.7;proto=https;host=a, for=10.1.1.1;proto=http;host=b"],
            ("192.0.2.7", 0), "https", b"a",
        ),
        (
            ['for="[2001:db8::7]:1";proto=https', "for=10.1.1.1"],
            ("2001:db8::7", 1), "https", b"",
        ),
        (['for="', "for=192.0.2.7;proto=http"], ("192.0.2.7", 0), "http", b""),
        (['for="', "for=10.1.1.1;proto=http"], ("10.1.1.1", 0), "http", b""),
        (["for=192.0.2.7, for=unknown;proto=https"], None, "https", b""),
        (["for=_hidden;host=a"], None, None, b"a"),
        (["proto=https"], None, "https", b""),
        (["for=192.0.2.7, nonsense"], None, None, b""),
        ([""], None, None, b""),
    ],
)  # fmt: skip
def test_forwarded_is_read_from_the_right(
    lines: list[str], client: tuple[str, int] | None, scheme: str | None, host: bytes
) -> None:
    """
    Scheme and host are those that stand beside the client's name.
    """
    said = read("forwarded", *(("forwarded", line) for line in lines))

    assert (client, scheme, host) == (said.client, said.scheme, said.host)
    assert read("x-forwarded-for", ("forwarded", lines[0])).client is None


def test_with_forwarded_no_other_field_says_the_scheme() -> None:
    """
    A proxy that sets this one passes on a client's X-Forwarded-Proto.
    """
    fields = ("x-forwarded-proto", "https"), ("forwarded", "for=192.0.2.7")

    assert read("forwarded", *fields).scheme is None


def test_a_host_of_forwarded_that_is_none_is_refused() -> None:
    """
    As a Host field would be.
    """
    with pytest.raises(ProtocolError):
        read("forwarded", ("forwarded", 'for=192.0.2.7;host="a b"'))


VALUES = st.text(st.characters(max_codepoint=255)) | st.text('12.:[],;=_ for"/')


@STEADY
@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=4))
def test_whatever_comes_is_read_or_refused(fields: list[tuple[str, str]]) -> None:
    """
    Nothing but an error of ours is ever raised, and a client is an address.
    """
    for style in ("x-forwarded-for", "x-forwarded", "forwarded"):
        try:
            said = read(style, *fields)
        except ProtocolError:
            continue
        if said.client is not None:
            ip_address(said.client[0])
