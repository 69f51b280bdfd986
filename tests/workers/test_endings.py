"""What the master hears of a worker that can't boot."""

from tiamat.errors import AppError, StartupError
from tiamat.system.messages import Failed
from tiamat.workers.endings import failure


def test_a_failure_has_its_exit_status_and_its_words() -> None:
    """What was said to the user, and nothing else."""
    assert Failed(4, "no app") == failure(AppError("no app"))


def test_code_of_the_user_s_that_failed_is_told_with_its_traceback() -> None:
    """Behind the first line, which stands for all where there is room for one."""
    error = StartupError("shop failed")
    try:
        raise StartupError("shop failed") from ValueError("no database")
    except StartupError as caught:
        error = caught
    told = failure(error)

    assert 3 == told.status
    assert told.text.startswith("shop failed\n")
    assert told.text.endswith("ValueError: no database")
