"""
The signals of a worker.

TERM is graceful, INT and QUIT are immediate, ABRT is from a master that has
condemned the worker, USR1 reopens the logs: gunicorn's meanings. The others are
for the master, but a terminal sends them to all.
"""

import faulthandler
import signal
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tiamat.workers.base import Worker

DUMP_SIGNAL: Final = signal.SIGRTMIN + 1 if sys.platform == "linux" else signal.SIGUSR2
"""Makes the interpreter write all stacks from C, whatever the code does."""

IGNORED: Final = (
    signal.SIGHUP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGWINCH,
    signal.SIGUSR2,
)


CAUGHT: Final = {
    signal.SIGTERM: "handle_term",
    signal.SIGINT: "handle_quit",
    signal.SIGQUIT: "handle_quit",
    signal.SIGABRT: "handle_abort",
    signal.SIGUSR1: "handle_usr1",
}
"""Signals, and the methods of workers that handle them, which a subclass overrides."""


def install(worker: "Worker") -> None:
    """Handle signals as a worker does; crashes in C leave their stacks too."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(DUMP_SIGNAL, worker.handle_dump)
    show_stacks(worker.stacks, chain=True)  # before, for it takes ABRT too, our own
    for number, method in CAUGHT.items():
        signal.signal(number, getattr(worker, method))


def show_stacks(pipe: int, *, chain: bool = False) -> None:
    """
    Write all stacks there on ``DUMP_SIGNAL``, and before a crash in C.

    Args:
        pipe: where.
        chain: whether the signal has a handler, which is called behind that.
    """
    faulthandler.enable(pipe)
    faulthandler.register(DUMP_SIGNAL, pipe, all_threads=True, chain=chain)


def uninstall() -> None:
    """Give the signals the meanings they have in a fresh interpreter."""
    signal.set_wakeup_fd(-1)
    faulthandler.unregister(DUMP_SIGNAL)
    for number in (*IGNORED, *CAUGHT, DUMP_SIGNAL):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
