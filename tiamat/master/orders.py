"""
What signals ask of the master: a function each, with gunicorn's meanings.

Who gives an order hears no answer, as ``commands`` have one: the log tells of it.
"""

from signal import Signals
from time import monotonic
from typing import TYPE_CHECKING, Final

from tiamat.system.messages import Reopen
from tiamat.system.process import in_foreground

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiamat.master.arbiter import Arbiter


def terminate(arbiter: "Arbiter") -> None:
    """TERM: finish what is here, and what the kernel has accepted for us; end."""
    if arbiter.stopping or arbiter.delay.begin(monotonic()):
        return
    limit = arbiter.premises.config.graceful_timeout
    arbiter.handover.stop(Signals.SIGTERM)
    arbiter.log.info("TERM: finishing what is here, for %g s at most", limit)
    arbiter.begin_stop()
    arbiter.keeper.final = arbiter.premises.refuse_new_connections()
    arbiter.keeper.keep()
    arbiter.premises.close_listeners()


def interrupt(arbiter: "Arbiter") -> None:
    """INT, QUIT: end at once."""
    if not arbiter.hurrying:
        arbiter.handover.stop(Signals.SIGINT)
        arbiter.log.info("INT or QUIT: stopping at once")
        arbiter.stop_at_once()


def leave(arbiter: "Arbiter") -> None:
    """QUIT: as INT or, where that is wanted, as TERM."""
    graceful = arbiter.premises.config.quit_signal == "graceful"
    (terminate if graceful else interrupt)(arbiter)


def hang_up(arbiter: "Arbiter") -> None:
    """HUP: new settings and new code, in new workers."""
    if not arbiter.leaving:
        arbiter.notices.hung_up = True
        if arbiter.handover.starts:
            arbiter.log.error("HUP: refused while a new master starts")
            return
        arbiter.log.info("HUP: reloading")
        arbiter.reload.request(monotonic())


def add_worker(arbiter: "Arbiter") -> None:
    """TTIN: one worker more."""
    most = arbiter.keeper.most
    if arbiter.roster.target >= most:
        arbiter.log.error("TTIN: %d workers are the most until a re-exec", most)
    elif not arbiter.stopping:
        arbiter.keeper.set_target(arbiter.roster.target + 1)
        arbiter.log.info("TTIN: %s from now on", arbiter.roster.target_in_words)


def remove_worker(arbiter: "Arbiter") -> None:
    """TTOU: one worker fewer, but not the last one."""
    if arbiter.roster.target > 1:
        arbiter.keeper.set_target(arbiter.roster.target - 1)
        arbiter.log.info("TTOU: %s from now on", arbiter.roster.target_in_words)


def remove_all_workers(arbiter: "Arbiter") -> None:
    """WINCH: no workers, until HUP or TTIN; not if it is a terminal's own."""
    if not arbiter.stopping and not in_foreground():
        arbiter.log.info("WINCH: no workers from now on")
        arbiter.reload.supersede()
        arbiter.keeper.set_target(0)


def reopen_logs(arbiter: "Arbiter") -> None:
    """USR1: the log files were rotated."""
    arbiter.log.reopen()
    arbiter.log.info("USR1: logs reopened")
    for forked in arbiter.keeper.workers.values():
        if not forked.send(Reopen()):
            forked.kill(Signals.SIGUSR1)
    arbiter.keeper.molds.send(Reopen())
    arbiter.crew.reopen()


def start_new_master(arbiter: "Arbiter") -> None:
    """USR2: a new master beside this one, on the same listeners."""
    if not arbiter.leaving:
        arbiter.handover.begin()


def reap(arbiter: "Arbiter") -> None:
    """CHLD: a process of ours has ended."""
    arbiter.reap()


ORDERS: "Final[dict[Signals, Callable[[Arbiter], None]]]" = {
    Signals.SIGTERM: terminate,
    Signals.SIGINT: interrupt,
    Signals.SIGQUIT: leave,
    Signals.SIGHUP: hang_up,
    Signals.SIGTTIN: add_worker,
    Signals.SIGTTOU: remove_worker,
    Signals.SIGWINCH: remove_all_workers,
    Signals.SIGUSR1: reopen_logs,
    Signals.SIGUSR2: start_new_master,
    Signals.SIGCHLD: reap,
}
