"""How the log tells of a worker's end."""

import logging
import os
import signal
from typing import TYPE_CHECKING, Final

from tiamat.errors import AppError, StartupError
from tiamat.master.roster import State
from tiamat.system.process import status_in_words

if TYPE_CHECKING:
    from tiamat.master.spawn import Forked
    from tiamat.observe.log import Log


FAILURES: Final = (StartupError.exit_status, AppError.exit_status)
"""Exit statuses of a worker that can't load the application, so that no other can."""

ATTEMPTS: Final = 3
"""How often the first workers may die in other ways before the start has failed."""


def report(log: "Log", forked: "Forked", status: int, known: str = "") -> None:
    """
    Log how a worker ended, as loud as it is strange.

    Args:
        log: where to.
        forked: the worker, in the state that it ended in.
        status: what ``waitpid`` said.
        known: a reason that the log has already, with its traceback.
    """
    words = status_in_words(status)
    expected = forked.member.state in {State.DRAINING, State.KILLED}
    if forked.failure is not None:
        text = forked.failure.text
        text = text.partition("\n")[0] if text == known else text
        log.error("%s can't boot: %s", forked, text)
        return
    if expected and (status == 0 or forked.member.state is State.KILLED):
        log.info("%s %s", forked, words)
        return
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        words += ", not by us: perhaps the machine is out of memory"
    level = logging.WARNING if status == 0 else logging.ERROR
    log.log(level, "%s %s", forked, words if status else "exited, not asked to")
    if os.WIFSIGNALED(status) and (stacks := forked.read_stacks()):
        log.error("%s had this in its threads:\n%s", forked, stacks.rstrip())


def status_of_start(forked: "Forked", status: int, attempts: int) -> int:
    """
    Whether the start has failed, now that one of the first workers is gone.

    Args:
        forked: the worker; none has ever loaded the application.
        status: what ``waitpid`` said.
        attempts: how many workers its slot has lost.

    Returns:
        The exit status of the command; 0 to try again.
    """
    if forked.failure is not None:
        return forked.failure.status
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) in FAILURES:
        return os.WEXITSTATUS(status)
    return StartupError.exit_status if attempts >= ATTEMPTS else 0
