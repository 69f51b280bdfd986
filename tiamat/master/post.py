"""
What applications say to one another goes through the master, and never keeps it.

A worker that does not read has at most ``ROOM`` waiting here; what comes then is
dropped and counted, and the worker is told how much it has missed. What the master
itself has to say does not wait behind it: see ``Channel.has_room``.
"""

import selectors
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from tiamat.master.member import State
from tiamat.system.messages import TO_ALL, TO_MASTER, Missed, Post, Posted, encode
from tiamat.workers.mailbox import Received

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiamat.master.arbiter import Arbiter
    from tiamat.master.spawn import Forked

ROOM: Final = 1 << 20
"""Bytes of messages that may wait for one worker."""

HEARING: Final = {State.READY, State.SERVING, State.DRAINING}
"""Who hears what is for all: also who still finishes what it has."""


class Outbox:
    """
    What waits for one worker.

    Attributes:
        waiting: messages, encoded, the oldest first.
        size: their bytes.
        missed: how many were dropped since the last one that was not.
        dropped: how many were dropped in all.
    """

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.size = 0
        self.missed = 0
        self.dropped = 0

    def put(self, data: bytes) -> bool:
        """Keep a message; False if there is no room."""
        if self.size + len(data) > ROOM:
            self.missed += 1
            self.dropped += 1
            return False
        if self.missed:
            self._keep(encode(Missed(self.missed)))
            self.missed = 0
        self._keep(data)
        return True

    def _keep(self, data: bytes) -> None:
        self.waiting.append(data)
        self.size += len(data)

    def flush(self, forked: "Forked") -> bool:
        """Send what the worker's channel has room for; whether that was all."""
        channel = forked.channel
        while self.waiting and channel.has_room():
            if not channel.send_encoded(self.waiting[0]):
                break
            self.size -= len(self.waiting.popleft())
        return not self.waiting


class PostOffice:
    """Who gets what."""

    def __init__(self, arbiter: "Arbiter") -> None:
        self.arbiter = arbiter

    def pass_on(self, forked: "Forked", message: Post) -> None:
        """A worker has posted something."""
        sender = forked.member.slot
        if message.to == TO_MASTER:
            received = Received(message.data, message.topic, sender)
            server, worker = self.arbiter.server, forked.worker
            server.call("on_worker_message", server, worker, received)
        else:
            self.send(message.to, Posted(message.topic, message.data, sender))

    def send(self, to: str | int, message: Posted) -> None:
        """
        Send a message to all workers, or to that of a slot.

        Raises:
            TypeError: JSON can't say it.
            ValueError: it is too much.
        """
        data = encode(message)
        for forked in self.hearers(to):
            self.put(forked, data)

    def hearers(self, to: str | int) -> "Iterable[Forked]":
        """Who is meant: of a slot the one that serves, or that will."""
        workers = self.arbiter.keeper.workers.values()
        hearing = [
            one for one in workers if one.member.state in HEARING and not one.deaf
        ]
        if to == TO_ALL:
            return hearing
        of_slot = [one for one in hearing if one.member.slot == to]
        of_slot.sort(key=lambda one: one.member.state is State.SERVING)
        return of_slot[-1:]

    def put(self, forked: "Forked", data: bytes) -> None:
        """Send a message to one worker now, or when it has room."""
        outbox = forked.outbox
        was_empty = not outbox.waiting
        if not outbox.put(data):
            if outbox.dropped == 1:
                self.arbiter.log.warning(
                    "%s does not take its messages: the first one is dropped", forked
                )
            return
        if was_empty and not outbox.flush(forked):
            self._watch(forked, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def go_on(self, forked: "Forked") -> None:
        """A worker has room again, perhaps."""
        if forked.outbox.waiting and not forked.deaf and forked.outbox.flush(forked):
            self._watch(forked, selectors.EVENT_READ)

    def _watch(self, forked: "Forked", events: int) -> None:
        self.arbiter.keeper.selector.modify(forked.channel, events, forked)

    def broadcast(self, data: Any, topic: str, to: str | int) -> None:
        """The master itself says something, to all or to one slot."""
        self.send(to, Posted(topic, data, None))
