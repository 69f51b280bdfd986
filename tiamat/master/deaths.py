"""How the log tells of a worker's end."""

import logging
import os
import signal
from typing import TYPE_CHECKING

from tiamat.master.roster import State
from tiamat.system.process import status_in_words

if TYPE_CHECKING:
    from tiamat.master.spawn import Forked
    from tiamat.observe.log import Log


def report(log: "Log", forked: "Forked", status: int) -> None:
    """
    Log how a worker ended, as loud as it is strange.

    Args:
        log: where to.
        forked: the worker, in the state that it ended in.
        status: what ``waitpid`` said.
    """
    words = status_in_words(status)
    expected = forked.member.state in {State.DRAINING, State.KILLED}
    if forked.failure is not None:
        log.error("%s could not boot: %s", forked, forked.failure.text)
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


def failed_to_boot(forked: "Forked", status: int) -> bool:
    """Whether it could not load the application, so that others can't either."""
    codes = (3, 4)
    return forked.failure is not None or (
        os.WIFEXITED(status) and os.WEXITSTATUS(status) in codes
    )
