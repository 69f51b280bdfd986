"""Field names and values, as they come and as they go."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiamat.protocol.errors import InvalidResponse, ProtocolError
from tiamat.protocol.headers import (
    FIELD_VALUE,
    TOKEN,
    VALID_HOSTS,
    FieldLines,
    LengthLine,
    Names,
    SpecialLine,
    list_members,
)

TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters
tokens = st.text(TOKEN_CHARACTERS, min_size=1).map(str.encode)


@given(st.binary())
def test_a_token_has_only_token_characters(name: bytes) -> None:
    """RFC 9110, 5.6.2, and nothing at the end, not even a line end."""
    expected = bool(name) and all(chr(byte) in TOKEN_CHARACTERS for byte in name)

    assert expected == bool(TOKEN.match(name))


@given(st.binary())
def test_a_value_has_no_control_characters(value: bytes) -> None:
    """RFC 9110, 5.5: HTAB alone is let through."""
    expected = all(
        byte == 9 or (byte >= 32 and byte != 127)  # HTAB; not DEL
        for byte in value
    )

    assert expected == bool(FIELD_VALUE.match(value))


@given(tokens)
def test_a_name_is_kept_in_lower_case(name: bytes) -> None:
    """Twice the same object, so that look-ups compare pointers."""
    names = Names("dangerous")

    assert name.lower() == names[name]
    assert names[name] is names[name]
    assert names[name] is names[name.lower()]


@given(tokens)
def test_no_name_with_an_underscore_is_kept(name: bytes) -> None:
    """It would overwrite its twin with a dash in an environ."""
    kept = Names("drop")[name]

    assert kept == (b"" if b"_" in name else name.lower())


def test_the_table_of_names_is_bounded() -> None:
    """Clients make names up; memory for them ends somewhere."""
    names = Names("drop")
    for number in range(5000):
        assert b"x-%d" % number == names[b"X-%d" % number]

    assert len(names) < 2000


def test_only_refuse_refuses() -> None:
    """``header_map = "refuse"`` is told apart from dropping by the connection."""
    assert Names("refuse").refuse
    assert not Names("drop").refuse


@pytest.mark.parametrize(
    "host", [b"", b"a", b"a.b:80", b"[::1]:8000", b"127.0.0.1", b"a_b", b"a%20b"]
)
def test_a_host_is_valid(host: bytes) -> None:
    """uri-host and a port, both of which may be empty."""
    VALID_HOSTS.check(host)


@pytest.mark.parametrize(
    "host", [b"a b", b"a/b", b"u@a", b"a:b", b"[::1", b"a\n", b"\xe9", b"a,b:1:2"]
)
def test_a_host_is_invalid(host: bytes) -> None:
    """No userinfo, no path, no list, nothing beyond ASCII."""
    with pytest.raises(ProtocolError):
        VALID_HOSTS.check(host)

    assert host not in VALID_HOSTS


@given(st.lists(tokens))
def test_a_list_is_split_into_its_members(members: list[bytes]) -> None:
    """In lower case, with the whitespace and the empty members gone."""
    value = b" ,\t, ".join(members)

    assert [member.lower() for member in members] == list_members(value)


@given(tokens, st.text(st.characters(max_codepoint=255)))
def test_a_line_is_whole_or_refused(name: bytes, value: str) -> None:
    """Whatever an application gives, its line has one line end, the last."""
    try:
        line = FieldLines()[name.decode(), value]
    except InvalidResponse:
        return

    assert line.endswith(b"\r\n")
    assert line.count(b"\r") == line.count(b"\n") == 1
    assert line.startswith(name + b": ")


@pytest.mark.parametrize(
    "field",
    [
        ("X\r\nY", "z"),
        ("X", "a\r\nSet-Cookie: b"),
        ("X", "a\nb"),
        ("X", "a\0"),
        ("X", "\u20ac"),
        ("X Y", "z"),
        ("", "z"),
        ("X:", "z"),
        (b"X", b"a\r"),
        ("Content-Length", "-1"),
        ("Content-Length", "+5"),
        ("Content-Length", ""),
        ("X", 5),
        (None, "a"),
    ],
)
def test_a_field_that_would_break_the_head_is_refused(field: tuple[str, str]) -> None:
    """The error names the header, and never shows a way around the check."""
    lines = FieldLines()
    with pytest.raises(InvalidResponse, match="header"):
        lines[field]

    assert field not in lines


def test_text_and_bytes_give_the_same_line() -> None:
    """WSGI has text and ASGI bytes; the wire has one form."""
    lines = FieldLines()

    assert b"X-Y: z\xe9\r\n" == lines["X-Y", "z\xe9"] == lines[b"X-Y", b"z\xe9"]


def test_lines_about_the_connection_are_marked() -> None:
    """The response writer finds them by their type."""
    lines = FieldLines()
    length = lines["content-length", "12"]
    special = lines["Transfer-Encoding", "chunked"]

    assert isinstance(length, LengthLine)
    assert length.length == 12
    assert isinstance(special, SpecialLine)
    assert special.name == b"transfer-encoding"
    assert type(lines["X", "y"]) is bytes


def test_the_table_of_lines_is_bounded() -> None:
    """Values that change with each response don't stay."""
    lines = FieldLines()
    for number in range(5000):
        lines["X-Request", str(number)]

    assert len(lines) <= 1024
