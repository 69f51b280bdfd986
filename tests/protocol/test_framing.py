"""Where a body ends, and what the fields beside that ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiamat.protocol.errors import (
    BodyTooLarge,
    ExpectationFailed,
    ProtocolError,
    UnknownTransferCoding,
)
from tiamat.protocol.framing import (
    CHUNKED,
    body_length,
    expects_continue,
    merge_repeated,
    split_absolute,
    wants_keep_alive,
)


@given(st.binary(max_size=30))
def test_a_content_length_is_digits_or_refused(value: bytes) -> None:
    """What ``int`` takes beyond ASCII digits is never taken."""
    fields = {b"content-length": value}
    if value.isdigit() and len(value) < 20:
        assert int(value) == body_length("1.1", fields, 0)
    else:
        with pytest.raises(ProtocolError):
            body_length("1.1", fields, 0)


@given(st.integers(0, 10**18), st.integers(1, 10**18))
def test_a_body_over_its_limit_is_refused(size: int, limit: int) -> None:
    """Before a byte of it is read; one at the limit is taken."""
    fields = {b"content-length": b"%d" % size}
    if size <= limit:
        assert size == body_length("1.1", fields, limit)
    else:
        with pytest.raises(BodyTooLarge):
            body_length("1.1", fields, limit)


@given(st.lists(st.sampled_from([b"chunked", b"gzip", b"CHUNKED", b"", b"x"])))
def test_only_one_coding_is_understood(codings: list[bytes]) -> None:
    """Exactly ``chunked``; else there is an error, never another length."""
    value = b", ".join(codings)
    fields = {b"transfer-encoding": value}
    if value.lower() == b"chunked":
        assert body_length("1.1", fields, 0) == CHUNKED
    else:
        with pytest.raises(ProtocolError):
            body_length("1.1", fields, 0)


def test_an_unknown_coding_before_chunked_is_501() -> None:
    """Its end is known; what it means isn't (RFC 9112, 6.1)."""
    with pytest.raises(UnknownTransferCoding):
        body_length("1.1", {b"transfer-encoding": b"gzip, chunked"}, 0)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_both_framings_are_refused(version: str) -> None:
    """Request smuggling begins with them."""
    fields = {b"transfer-encoding": b"chunked", b"content-length": b"1"}
    with pytest.raises(ProtocolError):
        body_length(version, fields, 0)


def test_chunks_are_refused_in_1_0() -> None:
    """RFC 9112, 6.1: the framing is faulty."""
    with pytest.raises(ProtocolError):
        body_length("1.0", {b"transfer-encoding": b"chunked"}, 0)


def test_without_either_field_there_is_no_body() -> None:
    """RFC 9112, 6.3, 7."""
    assert body_length("1.1", {}, 1) == 0


@pytest.mark.parametrize(
    ("version", "connection", "keeps"),
    [
        ("1.1", b"", True),
        ("1.1", b"close", False),
        ("1.1", b"x, Close", False),
        ("1.1", b"closed", True),
        ("1.0", b"", False),
        ("1.0", b"keep-alive", True),
        ("1.0", b"Keep-Alive , x", True),
        ("1.0", b"keep-alive, close", False),
    ],
)
def test_a_connection_is_kept(version: str, connection: bytes, keeps: bool) -> None:
    """RFC 9112, 9.3: the options are a list, and close wins."""
    assert keeps == wants_keep_alive(version, connection)


def test_an_expectation_is_known_or_refused() -> None:
    """100-continue in any case; in 1.0 nothing is expected."""
    assert expects_continue("1.1", b"100-Continue")
    assert not expects_continue("1.0", b"100-continue")
    assert not expects_continue("1.0", b"magic")
    with pytest.raises(ExpectationFailed):
        expects_continue("1.1", b"magic")


def test_repeated_fields_are_one_list() -> None:
    """RFC 9110, 5.3: joined in the order in which they came."""
    fields = merge_repeated([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")])

    assert fields == {b"a": b"1, 3", b"b": b"2"}


@pytest.mark.parametrize("name", [b"host", b"content-length", b"transfer-encoding"])
def test_fields_that_frame_come_once(name: bytes) -> None:
    """Even with the same value twice."""
    with pytest.raises(ProtocolError):
        merge_repeated([(name, b"1"), (name, b"1")])


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"http://a/b?c", (b"a", b"/b?c")),
        (b"HTTPS://a:1", (b"a:1", b"/")),
        (b"http://a?b", (b"a", b"/?b")),
        (b"http://[::1]/", (b"[::1]", b"/")),
    ],
)
def test_an_absolute_target_is_split(
    target: bytes, expected: tuple[bytes, bytes]
) -> None:
    """Into what Host says and a path that begins with a slash."""
    assert expected == split_absolute(target)


@given(st.binary())
def test_what_is_split_begins_with_a_slash(target: bytes) -> None:
    """Whatever a target is, it is refused or becomes origin-form."""
    try:
        authority, path = split_absolute(target)
    except ProtocolError:
        return

    assert authority
    assert path.startswith(b"/")
