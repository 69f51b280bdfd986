"""The process of a mold: what it takes, what it forks, what it warns of."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tiamat.config import Config
from tiamat.master.casting import Caster, adopted, threads
from tiamat.master.listeners import Listeners
from tiamat.master.spawn import Plan
from tiamat.observe.log import Log
from tiamat.system import sockets
from tiamat.system.channel import Channel
from tiamat.system.messages import Fork, NotSpawned
from tiamat.system.scoreboard import Scoreboard
from tiamat.workers.base import Worker
from tiamat.workers.init import WorkerInit


class Broken(Worker):
    """A class whose objects can't be made."""

    def __init__(self, init: WorkerInit) -> None:
        raise LookupError("no registry")


Mold = tuple[Caster, Channel]


@pytest.fixture
def mold(tmp_path: Path) -> Iterator[Mold]:
    """A mold's process that is this one, and the master's end of its channel."""
    here, there = Channel.pair()
    log = Log(str(tmp_path / "error.log"))
    premises: Any = SimpleNamespace(
        plan=Plan(Config(), Broken, Listeners({})), config=Config(), log=log
    )
    server: Any = SimpleNamespace(pid=1)
    yield Caster("mold gen=1 pid=2", premises, server, Scoreboard(2), there, 2), here
    here.close()
    there.close()
    log.close()


def test_listeners_are_adopted_as_they_are() -> None:
    """Under their addresses; who has bound one is not forgotten."""
    [ours], [theirs] = (sockets.listen(["127.0.0.1:0"], 5) for _ in range(2))
    found = adopted(
        {"127.0.0.1:0": False, "fd://7": True},
        [os.dup(ours.fileno()), os.dup(theirs.fileno())],
    )

    assert [ours.address, theirs.address] == [li.address for li in found.all]
    assert [False, True] == [li.inherited for li in found.all]
    assert [0.0, 0.0] == [li.sock.gettimeout() for li in found.all]
    for listener in (ours, theirs, *found.all):
        listener.close()


def test_a_worker_that_can_not_be_made_leaves_nothing_open(mold: Mold) -> None:
    """The master hears why, and the mold lives on."""
    caster, here = mold
    given, theirs = Channel.pair()
    reader, writer = os.pipe()
    here.send(Fork(0, 1, 1, 0, {}), (theirs.fileno(), writer))
    theirs.close()
    os.close(writer)
    order = caster.channel.receive()
    assert isinstance(order, Fork)
    answer = caster.fork(order)

    assert NotSpawned("no registry") == answer
    assert b"" == os.read(reader, 1)  # nobody has the other end
    with pytest.raises(EOFError):
        given.receive()

    given.close()
    os.close(reader)


def test_an_order_without_its_descriptors_is_not_obeyed(mold: Mold) -> None:
    """The kernel drops those for which a process has no room."""
    caster, here = mold
    reader, writer = os.pipe()
    here.send(Fork(0, 1, 1, 0, {"127.0.0.1:0": False}), (writer,))
    os.close(writer)
    order = caster.channel.receive()
    assert isinstance(order, Fork)

    assert NotSpawned("the mold has too many open files") == caster.fork(order)
    assert b"" == os.read(reader, 1)
    os.close(reader)


def test_threads_are_known_by_their_names(mold: Mold, tmp_path: Path) -> None:
    """And the log has them once."""
    caster, _ = mold
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="refresher")
    thread.start()
    names = threads()
    caster.warn_of_threads()
    caster.warn_of_threads()
    done.set()
    thread.join()

    assert "refresher" in names
    assert 1 == (tmp_path / "error.log").read_text().count("refresher")
