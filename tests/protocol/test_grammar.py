"""Whatever comes is a request, read in one way, or an error of ours."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol.differential import check, check_cuts
from protocol.grammar import Sent, mutated, sent
from protocol.wire import PARSERS

places = st.lists(st.integers(0, 10_000), max_size=5)

SHORT = settings(max_examples=60, deadline=None, derandomize=True)
LONG = settings(max_examples=30_000, deadline=None)


def read_as_written(requests: list[Sent], cuts: list[int], parser: str) -> None:
    """Raise unless *requests* come out as they went in."""
    wire = b"".join(request.wire for request in requests)
    reading = check_cuts(parser, wire, cuts)
    ends = [len(request.wire) for request in requests]

    assert not reading.verdict.status
    assert [sum(ends[: n + 1]) for n in range(len(ends))] == list(reading.ends)
    for request, seen in zip(requests, reading.verdict.requests, strict=True):
        assert request.method == seen.method
        assert request.target == seen.target
        assert request.headers == seen.headers
        assert request.body == seen.body


@given(requests=sent, cuts=places)
@SHORT
def test_a_valid_request_is_read_as_written(
    requests: list[Sent], cuts: list[int]
) -> None:
    """With each field, its content, and its end where that was written."""
    for parser in PARSERS:
        read_as_written(requests, cuts, parser)


@given(mutated(), places)
@SHORT
def test_a_broken_request_has_one_reading(wire: bytes, cuts: list[int]) -> None:
    """The same requests from both parsers, which end at the same bytes."""
    check(wire, cuts)


@pytest.mark.soak
@pytest.mark.timeout(1500)
@given(requests=sent, cuts=places)
@LONG
def test_many_valid_requests_are_read_as_written(
    requests: list[Sent], cuts: list[int]
) -> None:
    """The same, at length and each time with others."""
    for parser in PARSERS:
        read_as_written(requests, cuts, parser)


@pytest.mark.soak
@pytest.mark.timeout(1500)
@given(mutated(), places)
@LONG
def test_many_broken_requests_have_one_reading(wire: bytes, cuts: list[int]) -> None:
    """The same, at length and each time with others."""
    check(wire, cuts)
