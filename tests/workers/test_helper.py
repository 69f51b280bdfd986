"""A worker's thread that hears the master: what it notes, and what it answers."""

import select
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from children import Child, child

from tiamat.system.messages import Accept, Drain, Dump, Reopen, Stack
from tiamat.system.signals import Wakeup
from tiamat.workers.helper import Helper, stacks_of_others


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Child]:
    """A worker that can be woken."""
    with child(tmp_path) as made:
        made.worker.wakeup = Wakeup()
        yield made
        made.worker.wakeup.close()


def woken(one: Child) -> bool:
    """Whether the main thread would look what there is to do."""
    return bool(select.select([one.worker.wakeup], [], [], 0)[0])


def test_accept_is_noted_for_the_main_thread(one: Child) -> None:
    """It waits for that."""
    assert not woken(one)

    Helper(one.worker).obey(Accept())

    assert one.worker.accepted
    assert woken(one)


@pytest.mark.parametrize("final", [True, False])
def test_drain_ends_the_worker_s_loop(one: Child, final: bool) -> None:
    """With the kernel's queue or without."""
    Helper(one.worker).obey(Drain(final))

    assert not one.worker.alive
    assert final is one.worker.final
    assert woken(one)


def test_logs_are_reopened_in_the_main_thread(one: Child) -> None:
    """The helper only notes it."""
    Helper(one.worker).obey(Reopen())
    noted = one.worker.reopen_wanted
    one.path.rename(one.path.with_suffix(".1"))
    one.worker.handle_wakeup()

    assert noted
    assert not one.worker.reopen_wanted
    assert "" == one.logged


def test_a_dump_is_answered_while_the_application_is_stuck(one: Child) -> None:
    """The answer shows what the other threads do."""
    Helper(one.worker).obey(Dump())
    answer = one.forked.channel.receive()

    assert isinstance(answer, Stack)


@pytest.mark.parametrize("condemned", [True, False])
def test_who_is_condemned_accepts_nobody_any_more(one: Child, condemned: bool) -> None:
    """Who is only asked goes on."""
    Helper(one.worker).obey(Dump(condemned))

    assert one.worker.alive is not condemned


def test_stacks_are_those_of_all_others() -> None:
    """By name, with the line that each is in; not the one that asks."""
    entered, leave = threading.Event(), threading.Event()

    def wait_in_the_application() -> None:
        entered.set()
        leave.wait(60)

    thread = threading.Thread(target=wait_in_the_application, name="application")
    thread.start()
    entered.wait(60)
    text = stacks_of_others()
    leave.set()
    thread.join()

    assert "Thread application:\n" in text
    assert "in wait_in_the_application\n" in text
    assert "in stacks_of_others" not in text
