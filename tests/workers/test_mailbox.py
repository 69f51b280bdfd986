"""Messages between the helper that hears them and the application that takes them."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from children import Child, child

from tiamat.system.messages import Missed, Posted
from tiamat.workers.mailbox import WAITING, Mailbox, Received


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Child]:
    """A worker."""
    with child(tmp_path) as made:
        yield made


def test_what_was_missed_is_told_with_the_next(one: Child) -> None:
    """Whether the master dropped it, or this worker."""
    box, taken = Mailbox(one.worker), list[Received]()
    box.add(taken.append, None)
    box.put(Missed(3))
    for number in range(WAITING + 2):
        box.put(Posted("t", number, 1))
    box.deliver()
    box.put(Posted("t", "last", None))
    box.deliver()

    assert Received(0, "t", 1, 3) == taken[0]
    assert WAITING + 1 == len(taken)
    assert Received("last", "t", None, 2) == taken[-1]


def test_nothing_is_kept_for_nobody(one: Child) -> None:
    """Not on the way to it either."""
    box = Mailbox(one.worker)
    box.put(Posted("", 1, 1))

    assert not box.waiting


def test_handlers_get_their_topics_whatever_others_do(one: Child) -> None:
    """One that fails is in the log."""
    box, taken = Mailbox(one.worker), list[Received]()

    def fail(message: Received) -> None:
        raise LookupError(message.topic)

    box.add(fail, None)
    box.add(taken.append, "wanted")
    box.put(Posted("other", 1, 1))
    box.put(Posted("wanted", 2, 1))
    box.deliver()

    assert [2] == [message.data for message in taken]
    assert "LookupError: wanted" in one.logged


def test_a_coroutine_function_needs_a_loop(one: Child) -> None:
    """It would never be awaited."""

    async def take(message: Received) -> None:
        raise AssertionError

    with pytest.raises(TypeError, match="asgi"):
        Mailbox(one.worker).add(take, None)


def test_an_iteration_ends_with_its_loop(one: Child) -> None:
    """Messages come from another thread; who stops iterating keeps nothing."""
    box = Mailbox(one.worker)

    async def listen() -> list[object]:
        found = list[object]()
        stream = box.stream(None)
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        thread = threading.Thread(target=send)
        thread.start()
        found.append((await first).data)
        found.append((await anext(stream)).data)
        await stream.aclose()  # type: ignore[attr-defined]
        thread.join()
        return found

    def send() -> None:
        for number in (1, 2):
            box.put(Posted("", number, 0))
            box.deliver()

    assert [1, 2] == asyncio.run(listen())
    assert not box.handlers


def test_the_end_waits_for_who_is_giving(one: Child) -> None:
    """What a thread has taken is not lost: here it needs our word to go on."""
    box, taken = Mailbox(one.worker), list[object]()
    begun, go_on = threading.Event(), threading.Event()

    def take(message: Received) -> None:
        begun.set()
        go_on.wait()
        taken.append(message.data)

    box.add(take, None)
    box.put(Posted("", 1, 1))
    box.deliver_in_thread()
    begun.wait()
    box.finish(0.0)

    assert not taken
    threading.Timer(0.05, go_on.set).start()
    box.finish(60.0)

    assert [1] == taken
