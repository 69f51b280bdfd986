"""Nodes, and the Forwarded field of RFC 7239."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiamat.protocol.forwarded_field import parse_forwarded, parse_node

STEADY = settings(max_examples=200, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("192.0.2.7", ("192.0.2.7", 0)),
        ("192.0.2.7:8080", ("192.0.2.7", 8080)),
        ("192.0.2.7:_port", ("192.0.2.7", 0)),
        ("[2001:db8::7]", ("2001:db8::7", 0)),
        ("[2001:DB8::7]:8080", ("2001:db8::7", 8080)),
        ("2001:db8::7", ("2001:db8::7", 0)),
        ("::ffff:192.0.2.7", ("192.0.2.7", 0)),
        ("unknown", None),
        ("_hidden", None),
        ("", None),
        ("192.0.2", None),
        ("192.0.2.7:", None),
        ("192.0.2.7:99999", None),
        ("192.0.2.7:1:2", None),
        ("192.0.2.07", None),
        ("[192.0.2.7]", None),
        ("[2001:db8::7", None),
        ("fe80::1%eth0", None),
        ("example.org", None),
        ("192.0.2.7 ", None),
        ("\u0661.2.3.4", None),
    ],
)
def test_a_node_is_an_address_or_nothing(
    text: str, node: tuple[str, int] | None
) -> None:
    """What a proxy hides, and what it can't mean, has none."""
    assert node == parse_node(text)


def test_in_forwarded_ipv6_stands_in_brackets() -> None:
    """RFC 7239, 6: elsewhere its last group might be a port."""
    assert parse_node("2001:db8::7", bare=False) is None
    assert ("2001:db8::7", 0) == parse_node("[2001:db8::7]", bare=False)


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        ("for=192.0.2.7", [{"for": "192.0.2.7"}]),
        (
            'For="[2001:db8::7]:4711";proto=https;HOST=a:1, for=_x;by=unknown',
            [
                {"for": "[2001:db8::7]:4711", "proto": "https", "host": "a:1"},
                {"for": "_x", "by": "unknown"},
            ],
        ),
        (
            "for=1.2.3.4; proto=http ; by=_a",
            [{"for": "1.2.3.4", "proto": "http", "by": "_a"}],
        ),
        ("for=192.0.2.7:80", [{"for": "192.0.2.7:80"}]),
        (r'ext="a\"b,c;d=\\"', [{"ext": 'a"b,c;d=\\'}]),
        (",, for=1.2.3.4 ,;,", [{"for": "1.2.3.4"}]),
        ('for=""', [{"for": ""}]),
        ("", []),
        ("  ", []),
    ],
)
def test_elements_have_their_parameters(
    value: str, elements: list[dict[str, str]]
) -> None:
    """Quoted or not, in any case, with empty ones left out (RFC 9110, 5.6.1)."""
    assert elements == parse_forwarded(value)


@pytest.mark.parametrize(
    "value",
    [
        "for",
        "for=",
        "=1.2.3.4",
        "for =1.2.3.4",
        "for= 1.2.3.4",
        "for=1.2.3.4 proto=http",
        "for=1.2.3.4;for=5.6.7.8",
        'for="1.2.3.4',
        'for="1.2.3.4"x',
        'for="a\x00b"',
        'for=", for="[2001:db8::7]"',
        "for=1.2.3.4\x7f",
        "1.2.3.4",
    ],
)
def test_what_is_malformed_is_nothing(value: str) -> None:
    """Not even in part: a quote that is missing shifts all that follows."""
    assert parse_forwarded(value) is None


@STEADY
@given(st.text(st.sampled_from(' \t"\\,;=[]:_.1af') | st.characters(max_codepoint=255)))
def test_whatever_comes_is_read_or_not(text: str) -> None:
    """No value raises."""
    elements = parse_forwarded(text)
    parse_node(text)

    assert elements is None or all(elements)
