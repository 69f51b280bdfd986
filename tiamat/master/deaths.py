"""How the log tells of a worker's end."""

import logging
import os
import signal
from time import monotonic
from typing import TYPE_CHECKING, Final

from tiamat.errors import AppError, StartupError, TiamatError
from tiamat.master.member import State
from tiamat.master.spawn import NO_REQUEST
from tiamat.system.process import status_in_words
from tiamat.workers.endings import ABORTED

if TYPE_CHECKING:
    from tiamat.master.mold import Mold
    from tiamat.master.spawn import Forked
    from tiamat.observe.log import Log


FAILURES: Final = {kind.exit_status: kind for kind in (StartupError, AppError)}
"""By exit status: what a worker says that can't boot, so that no other can."""

MORE: Final = "; the error log has more"

ATTEMPTS: Final = 3
"""How often the first workers may die in other ways before the start has failed."""


def report(
    log: "Log",
    forked: "Forked | Mold",
    status: int,
    known: str = "",
    cause: str = "",
    *,
    oom: bool = False,
) -> None:
    """
    Log how a worker ended, as loud as it is strange.

    Args:
        log: where to.
        forked: the worker or the mold, in the state that it ended in.
        status: what ``waitpid`` said.
        known: a reason that the log has already, with its traceback.
        cause: why we have killed it, if we have.
        oom: whether the kernel has killed somebody for memory since we looked last.
    """
    words = status_in_words(status)
    if forked.failure is not None:
        text = forked.failure.text
        text = text.partition("\n")[0] if text == known else text
        log.error("%s can't boot: %s", forked, text)
        return
    killer = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    state = forked.member.state
    if state is State.KILLED:
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == ABORTED:
            words = "ended after ABRT"
        log.info("%s %s: %s%s", forked, words, cause, memory(forked))
        return
    if state is State.DRAINING and is_obedient(status):
        log.info("%s %s", forked, words)
        return
    if status == 0:
        words = "exited, not asked to"
    if killer == signal.SIGKILL:
        words += ", not by us: "
        words += "by the kernel, for memory" if oom else "by hand, or for memory"
    words += memory(forked)
    held = forked.request_in_words(monotonic())
    if held != NO_REQUEST:
        words += f"; in the application: {held}"
    level = logging.WARNING if status == 0 else logging.ERROR
    log.log(level, "%s %s", forked, words)
    if killer and (stacks := forked.read_stacks()):
        log.error("%s had this in its threads:\n%s", forked, stacks.rstrip())


def memory(forked: "Forked | Mold") -> str:
    """How much memory it had, behind the rest of the line; nothing if unknown."""
    words = forked.memory_in_words(monotonic())
    return f"; memory: {words}" if words else ""


def is_obedient(status: int) -> bool:
    """Whether a worker that was told to go ended as it should."""
    # Before it handles signals, an order to go is what kills it.
    orders = signal.SIGTERM, signal.SIGQUIT
    return status == 0 or (os.WIFSIGNALED(status) and os.WTERMSIG(status) in orders)


def failure_of_start(
    forked: "Forked | Mold", status: int, attempts: int
) -> TiamatError | None:
    """
    Whether the start has failed, now that one of the first workers is gone.

    Args:
        forked: the worker or the mold; none has ever loaded the application.
        status: what ``waitpid`` said.
        attempts: how many of them have been lost in its place.

    Returns:
        Why the command fails, for who does not read the log; None to try again.
    """
    if forked.failure is not None:
        kind = FAILURES.get(forked.failure.status, TiamatError)
        line, traceback, _ = forked.failure.text.partition("\n")
        return kind(line + MORE if traceback else line)
    text = f"the first workers end before they serve: {status_in_words(status)}{MORE}"
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) in FAILURES:
        return FAILURES[os.WEXITSTATUS(status)](text)
    return StartupError(text) if attempts >= ATTEMPTS else None
