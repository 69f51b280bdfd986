"""Answers that are known later, and what may be said with a command."""

import math

from tiamat.master.answers import Answer, Parameter, Pending, parameters
from tiamat.master.outcome import Outcome


def test_a_pending_answer_is_known_when_somebody_knows_it() -> None:
    """Before that it is none, and is due at the end of patience."""
    pending = Pending(100.0, "too late")

    assert pending.result(99.0) is None
    assert 100.0 == pending.due

    pending.answer = Answer(0, "here")

    assert Answer(0, "here") == pending.result(99.0) == pending.result(101.0)
    assert pending.due < math.inf


def test_nobody_waits_longer_than_was_said() -> None:
    """Then the answer says what did not come."""
    assert Answer(1, "too late") == Pending(100.0, "too late").result(100.0)
    assert math.inf == Pending().due


def test_the_outcome_of_a_reload_is_a_status_and_words() -> None:
    """The number is the outcome's."""
    pending = Pending()
    pending.reloaded(Outcome.BOOT_FAILED, "no module named nowhere")
    answer = pending.result(0.0)
    assert answer is not None
    assert isinstance(answer.data, dict)

    assert (11, "boot failed: no module named nowhere") == answer[:2]
    assert "boot failed" == answer.data["outcome"]
    assert answer.data["seconds"] >= 0


def example(arbiter: object, slot: int, *, soft: bool = False) -> Answer:
    """
    Do something.

    Args:
        slot: which one, in words that
            go on in a second line.
        soft: gently.
    """
    raise NotImplementedError


def test_parameters_are_those_of_the_function_with_its_docstring_s_words() -> None:
    """Behind the star are flags; without docstrings (-OO) there is no help."""
    assert [
        Parameter("slot", False, "which one, in words that go on in a second line."),
        Parameter("soft", True, "gently."),
    ] == parameters(example)

    example.__doc__ = None

    assert ["", ""] == [parameter.help for parameter in parameters(example)]
