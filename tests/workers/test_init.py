"""What a worker is made of is the master's to say, once."""

import os
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from children import Master

from tiamat.config import Config
from tiamat.observe.log import Log
from tiamat.system.channel import Channel
from tiamat.system.scoreboard import Scoreboard
from tiamat.workers.base import Worker
from tiamat.workers.init import WorkerInit


def test_a_worker_is_what_it_was_made_of(tmp_path: Path) -> None:
    """Whatever hooks do to the worker, its replacement is made of the same."""
    config, log = Config(), Log(str(tmp_path / "error.log"))
    row = Scoreboard(1).take()
    here, there = Channel.pair()
    server = Master(config, log, os.getpid())
    init = WorkerInit(3, 2, 1, config, [], there, row, log, server)
    worker = Worker(init)
    with pytest.raises(FrozenInstanceError):
        init.slot = 4  # type: ignore[misc]
    for one in (here, there, log):
        one.close()

    assert (3, 2, 1) == (worker.slot, worker.generation, worker.age)
    assert [config, log, row, server] == [
        *(worker.cfg, worker.log, worker.row, worker.server)
    ]
    assert init.listeners is not worker.listeners
