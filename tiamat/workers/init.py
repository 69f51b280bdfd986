"""All that a worker is made of; its master makes it, before the fork."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tiamat.config import Config
from tiamat.observe.log import Log
from tiamat.system.channel import Channel
from tiamat.system.listener import Listener
from tiamat.system.scoreboard import Row


class Server(Protocol):
    """The master, as hooks see it."""

    @property
    def cfg(self) -> Config: ...
    @property
    def log(self) -> Log: ...
    @property
    def pid(self) -> int: ...


@dataclass(frozen=True, slots=True)
class WorkerInit:
    """
    All that a worker is made of.

    Attributes:
        slot: its place in the roster.
        generation: of the application and the settings: how many reloads before.
        age: how many workers there were before it.
        config: the settings.
        listeners: what it accepts from.
        channel: its end of the channel to the master.
        row: its own, in the scoreboard.
        log: the logs.
        server: the view of the master that hooks get.
        stacks: a descriptor that the stacks go to when all else fails.
    """

    slot: int
    generation: int
    age: int
    config: Config
    listeners: Sequence[Listener]
    channel: Channel
    row: Row
    log: Log
    server: Server
    stacks: int = 2
