"""
The wire corpus: one language, whichever parser reads it, however it is cut.

The cases are in ``requests/``, whose ``README.md`` says how they are written.
"""

import random
import re
from collections.abc import Iterator

import pytest
from protocol.wire import PARSERS, REQUESTS, Case, Verdict, cases

VALID = cases("valid")
INVALID = cases("invalid")

# Cuts at random places, besides whole and byte by byte.
_SPLITS = 20


def cut(wire: bytes, name: str) -> Iterator[list[bytes]]:
    """*wire* whole, byte by byte, and in random pieces that *name* seeds."""
    yield [wire]
    yield [wire[at : at + 1] for at in range(len(wire))]
    chance = random.Random(name)
    for _ in range(_SPLITS):
        count = chance.randint(1, min(6, len(wire) - 1))
        places = sorted(chance.sample(range(1, len(wire)), count))
        yield [
            wire[start:end]
            for start, end in zip([0, *places], [*places, len(wire)], strict=True)
        ]


def the_verdict(case: Case, parser: str) -> Verdict:
    """The one verdict on *case*, whole and in pieces."""
    whole, *others = cut(case.wire, case.name)
    verdict = case.run(parser, whole)
    for pieces in others:
        assert verdict == case.run(parser, pieces), pieces
    return verdict


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("case", VALID, ids=lambda case: case.name)
def test_a_valid_case_gives_its_requests(case: Case, parser: str) -> None:
    """What the file beside the case says comes out, however the case is cut."""
    verdict = the_verdict(case, parser)
    # The documented difference: llhttp has a list of methods.
    status = case.expected.get(parser, 0)

    assert status == verdict.status
    if status:
        return
    requests = case.expected.get("requests", [])
    assert len(requests) == len(verdict.requests)
    for expected, seen in zip(requests, verdict.requests, strict=True):
        assert expected.get("method", "GET") == seen.method
        assert expected.get("target", "/") == seen.target
        assert expected.get("version", "1.1") == seen.version
        assert expected.get("body", "") == seen.body
        assert expected.get("keep_alive", True) == seen.keep_alive
        assert expected.get("expect_continue", False) == seen.expect_continue
        assert expected.get("complete", True) == seen.complete
        headers = tuple((name, value) for name, value in expected["headers"])
        assert headers == seen.headers


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("case", INVALID, ids=lambda case: case.name)
def test_an_invalid_case_is_refused(case: Case, parser: str) -> None:
    """It gets the status of the file beside it, and nothing behind it is read."""
    verdict = the_verdict(case, parser)

    assert case.expected["status"] == verdict.status
    assert not verdict.waits
    # Where its head is wrong there is no request at all.
    assert case.expected.get("requests", 0) == len(verdict.requests)
    complete = [request for request in verdict.requests if request.complete]
    assert case.expected.get("complete", 0) == len(complete)


def test_both_parsers_agree() -> None:
    """
    The same requests and the same status come out of either parser.

    But for the documented difference, a method that llhttp doesn't list.
    """
    for case in [*VALID, *INVALID]:
        if "httptools" not in case.expected:
            seen = case.run("httptools", [case.wire])

            assert case.run("h11", [case.wire]) == seen, case.name


def test_the_corpus_is_large() -> None:
    """Eight hundred cases at least, no two alike, each with its expectation."""
    cases = [*VALID, *INVALID]

    assert len(cases) >= 800
    assert len(cases) == len({(case.wire, str(case.expected)) for case in cases})
    for path in REQUESTS.glob("*/*.toml"):
        assert path.with_suffix(".http").exists()


def test_each_case_names_its_source() -> None:
    """The chapter, the advisory or the paper that says why it is there."""
    for case in [*VALID, *INVALID]:
        assert re.search(r"\bRFC \d{4}\b|\bCVE-\d{4}-|, 20\d\d|in 2020", case.source), (
            case.name
        )
