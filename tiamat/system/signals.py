"""
Signals become items of a queue, and a descriptor wakes who waits for them.

A handler does two things: it notes the signal and makes a descriptor readable. All
that is to be done is done by the loop that selects on it, where it may log, fork
and wait (signal-safety(7) is about the rest).
"""

import contextlib
import os
import signal
from collections import deque
from collections.abc import Iterable
from signal import Signals
from types import FrameType
from typing import Final, TypeAlias

from tiamat.system.unpatched import unpatched

COUNTED: Final = frozenset({Signals.SIGTTIN, Signals.SIGTTOU})
"""Each of these means something; of others, several that wait are one."""

Handler: TypeAlias = object  # what ``signal.getsignal`` returns


class Wakeup:
    """A descriptor that becomes readable when somebody says so."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        return self._reader

    def wake_on_signals(self) -> None:
        """
        Make it readable on every signal of this process that has a handler.

        A handler alone can't: the signal may come when the loop has looked at the
        queue and does not sleep yet. This write is made by the interpreter's own
        handler, in C, at once.
        """
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def wake(self) -> None:
        """Make it readable; from any thread, and from signal handlers."""
        with contextlib.suppress(BlockingIOError):  # full: readable enough
            os.write(self._writer, b"\0")

    def clear(self) -> None:
        """Make it unreadable; do so before looking at what woke you."""
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._reader, 4096)) == 4096:
                pass

    def close(self) -> None:
        """Close both ends."""
        os.close(self._reader)
        os.close(self._writer)


class Inbox:
    """
    The signals that came and were not taken yet.

    Register it with a selector; when it is readable, ``take`` until None.
    """

    def __init__(self) -> None:
        self._wakeup = Wakeup()
        self._queue: deque[Signals] = deque()
        self._before: dict[Signals, Handler] = {}

    def fileno(self) -> int:
        return self._wakeup.fileno()

    def catch(self, signals: Iterable[Signals]) -> None:
        """From now on these signals come here."""
        self._wakeup.wake_on_signals()
        for number in signals:
            self._before[number] = signal.getsignal(number)
            signal.signal(number, self._note)
            signal.siginterrupt(number, False)

    def _note(self, number: int, frame: FrameType | None) -> None:
        item = Signals(number)
        if item in COUNTED or item not in self._queue:
            self._queue.append(item)

    def take(self) -> Signals | None:
        """The oldest signal that waits, or None."""
        if not self._queue:
            self._wakeup.clear()
        return self._queue.popleft() if self._queue else None

    def __len__(self) -> int:
        return len(self._queue)

    def close(self) -> None:
        """Give the signals back to who had them before."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # it was one
        self._before.clear()
        self._wakeup.close()


def fork() -> int:
    """
    Fork; in the new process signals have their default meanings.

    They wait meanwhile: else it might run a handler of the old process's, and wake
    that one instead of itself.

    Raises:
        OSError: there can't be another process.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid: int = unpatched("os", "fork")()  # gevent's would turn its hub
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for number in signal.valid_signals():
                if callable(signal.getsignal(number)):
                    signal.signal(number, signal.SIG_DFL)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid
