"""The check of a candidate, as the master sees it."""

import math
from pathlib import Path

from children import child

from tiamat.config import Config
from tiamat.master.gate import GRACE, Gate, is_wanted
from tiamat.system.messages import Check


def test_only_who_names_a_check_has_one() -> None:
    """A path, or a hook, or both."""
    assert not is_wanted(Config())
    assert is_wanted(Config(reload_check="/healthz"))
    assert is_wanted(Config(check_worker=lambda worker: None))


def test_who_develops_has_none() -> None:
    """What a check would find is to be seen in the browser."""
    assert not is_wanted(Config(reload_check="/healthz", reload=True))


def test_a_check_has_its_time(tmp_path: Path) -> None:
    """A little more than the worker gives itself, so that it can say what it was."""
    with child(tmp_path, config=Config(reload_check_timeout=7)) as one:
        gate = Gate(one.forked, 100.0)

        assert Check() == one.there.receive()
        assert 107.0 + GRACE == gate.deadline
        assert "no result within 7 s (reload_check_timeout)" == gate.too_late


def test_a_limit_may_be_switched_off(tmp_path: Path) -> None:
    """Zero is for ever, as everywhere."""
    with child(tmp_path, config=Config(reload_check_timeout=0)) as one:
        assert math.inf == Gate(one.forked, 100.0).deadline
