"""Signals as items of a queue."""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from signal import SIGTTIN, SIGUSR1, SIGUSR2, Signals

import pytest

from tiamat.system.signals import Inbox, Wakeup

# Prints what a forked process has of a parent that catches and blocks signals.
FORK = """
import os, signal, sys
from signal import Signals
from tiamat.system.signals import Inbox, fork

inbox = Inbox()
inbox.catch([Signals.SIGUSR1, Signals.SIGTERM])
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
pid = fork()
if pid == 0:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
        print(number.name, signal.getsignal(number).name)
    print(signal.set_wakeup_fd(-1), *(number.name for number in mask), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    os._exit(5)
_, status = os.waitpid(pid, 0)
print("child", os.waitstatus_to_exitcode(status))
os.kill(os.getpid(), signal.SIGUSR1)
print("parent", inbox.take().name, inbox.take())
print(*(number.name for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])))
"""


def readable(source: Inbox | Wakeup, timeout: float = 0.0) -> bool:
    """Whether it wakes a selector now, or within *timeout* seconds."""
    return bool(select.select([source], [], [], timeout)[0])


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """An inbox for three signals."""
    box = Inbox()
    box.catch([SIGUSR1, SIGUSR2, SIGTTIN])
    yield box
    box.close()


@pytest.fixture
def wakeup() -> Iterator[Wakeup]:
    """A descriptor that can be woken."""
    wakeup = Wakeup()
    yield wakeup
    wakeup.close()


def take_all(inbox: Inbox) -> list[Signals]:
    """What waits in an inbox."""
    return list(iter(inbox.take, None))


def test_signals_are_taken_in_their_order(inbox: Inbox) -> None:
    """The oldest one comes first, then None."""
    signal.raise_signal(SIGUSR2)
    signal.raise_signal(SIGUSR1)

    assert len(inbox) == 2
    assert [SIGUSR2, SIGUSR1] == take_all(inbox)
    assert inbox.take() is None


def test_a_signal_wakes_a_selector(inbox: Inbox) -> None:
    """Until all are taken the inbox is readable, then it is not."""
    assert not readable(inbox)

    signal.raise_signal(SIGUSR1)

    assert readable(inbox)

    take_all(inbox)

    assert not readable(inbox)


def test_a_signal_of_another_process_comes_in(inbox: Inbox) -> None:
    """It wakes a process that sleeps."""
    command = [sys.executable, "-c", f"import os; os.kill({os.getpid()}, {SIGUSR1})"]
    with subprocess.Popen(command):
        woken = readable(inbox, 30)

    assert woken
    assert [SIGUSR1] == take_all(inbox)


def test_the_same_signal_waits_once(inbox: Inbox) -> None:
    """To reload twice at once is to reload."""
    for _ in range(3):
        signal.raise_signal(SIGUSR1)

    assert [SIGUSR1] == take_all(inbox)


def test_signals_that_count_wait_as_often_as_they_came(inbox: Inbox) -> None:
    """Three TTIN are three workers more."""
    for _ in range(3):
        signal.raise_signal(SIGTTIN)

    assert [SIGTTIN] * 3 == take_all(inbox)


def test_a_storm_of_signals_blocks_nobody(inbox: Inbox) -> None:
    """The descriptor may be full; nothing is lost, nothing is printed."""
    for _ in range(100_000):
        signal.raise_signal(SIGTTIN)

    assert len(inbox) == 100_000
    assert readable(inbox)
    assert len(take_all(inbox)) == 100_000
    assert not readable(inbox)


def test_a_closed_inbox_gives_the_signals_back() -> None:
    """Who had them before has them again."""
    came = []
    before = signal.signal(SIGUSR1, lambda number, frame: came.append(number))
    inbox = Inbox()
    inbox.catch([SIGUSR1])
    inbox.close()
    signal.raise_signal(SIGUSR1)
    signal.signal(SIGUSR1, before)

    assert [SIGUSR1] == came
    assert signal.set_wakeup_fd(-1) == -1


def test_a_wakeup_is_readable_until_it_is_cleared(wakeup: Wakeup) -> None:
    """However often it was woken; clearing it twice harms nobody."""
    assert not readable(wakeup)

    wakeup.wake()
    wakeup.wake()

    assert readable(wakeup)

    wakeup.clear()
    wakeup.clear()

    assert not readable(wakeup)


def test_a_full_wakeup_is_readable_enough(wakeup: Wakeup) -> None:
    """Who wakes never waits, and one clear is enough."""
    for _ in range(100_000):
        wakeup.wake()

    assert readable(wakeup)

    wakeup.clear()

    assert not readable(wakeup)


def test_a_thread_wakes_the_loop(wakeup: Wakeup) -> None:
    """The helper thread of a worker does."""
    thread = threading.Thread(target=wakeup.wake)
    thread.start()
    woken = readable(wakeup, 30)
    thread.join()

    assert woken


def test_its_descriptors_are_not_inherited(wakeup: Wakeup) -> None:
    """What the application starts has none of them."""
    assert not os.get_inheritable(wakeup.fileno())


def test_a_forked_process_has_the_default_meanings() -> None:
    """
    Its parent's handlers are gone, what was ignored or blocked stays so.

    A TERM right after the fork ends it, and does not wake the parent.
    """
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == [
        "SIGUSR1 SIG_DFL",
        "SIGTERM SIG_DFL",
        "SIGINT SIG_DFL",
        "SIGUSR2 SIG_IGN",
        "-1 SIGHUP",
        f"child {-signal.SIGTERM}",
        "parent SIGUSR1 None",
        "SIGHUP",
    ]
