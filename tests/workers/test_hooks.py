"""What is said of a hook that fails."""

from pathlib import Path
from types import TracebackType

import pytest

from tiamat.config import Config
from tiamat.errors import StartupError
from tiamat.observe.log import Log
from tiamat.workers.hooks import must, report


def fail(*arguments: object) -> None:
    """A hook that fails."""
    raise LookupError("no registry")


def test_a_report_names_hook_and_reason_and_shows_the_user_s_lines(
    tmp_path: Path,
) -> None:
    """The traceback begins in the user's code, not in ours."""
    path = tmp_path / "error.log"
    log = Log(str(path))
    with pytest.raises(StartupError) as caught:
        must(Config(post_fork=fail), "post_fork", 1, 2)
    cause = caught.value.__cause__

    assert isinstance(cause, LookupError)

    report(log, "post_fork", cause, "worker 1: ")
    log.close()
    line, traceback, first, *_ = path.read_text().splitlines()

    assert "worker 1: the hook post_fork failed: LookupError: no registry (" in line
    assert "Traceback (most recent call last):" == traceback
    assert f'  File "{__file__}", line' in first
    assert first.endswith("in fail")


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        (fail, "LookupError: no registry"),
        (lambda server, worker: server.x, "AttributeError: 'int' object"),
    ],
)
def test_a_hook_that_must_not_fail_ends_the_start(hook: object, reason: str) -> None:
    """With its name, and status 3."""
    with pytest.raises(StartupError) as caught:
        must(Config(post_fork=hook), "post_fork", 1, 2)

    assert str(caught.value).startswith(f"the hook post_fork failed: {reason}")
    assert 3 == caught.value.exit_status
    cause = caught.value.__cause__
    assert cause is not None
    assert isinstance(cause.__traceback__, TracebackType)
    assert __file__ == cause.__traceback__.tb_frame.f_code.co_filename


def test_without_a_hook_nothing_happens() -> None:
    """It costs nothing."""
    must(Config(), "post_fork", 1, 2)
