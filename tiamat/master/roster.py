"""
The roster: which workers there are, which there should be, and what is next.

Nothing in here forks, sends or waits. The arbiter tells what happened and asks what
to do; the answers are ``Spawn``, ``Admit`` and ``Retire``, and the members who have
been silent or slow for too long. All times are points on the monotonic clock.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from tiamat.master.member import Event, Member, State

BACK_OFF: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds until a slot gets its next worker after 1, 2, 3 … failures in a row."""

CANDIDATE_SLOT: Final = 0

PROVEN: Final = 60.0
"""A worker that has served for so many seconds was no failure of its slot."""


@dataclass(slots=True, eq=False)
class Slot:
    """
    The place of a worker; it has two while one replaces the other.

    Attributes:
        failures: how many of its workers in a row were lost.
        retry_at: when it may have the next one.
    """

    number: int
    members: list[Member] = field(default_factory=list)
    failures: int = 0
    retry_at: float = 0.0

    @property
    def serves(self) -> bool:
        """Whether a worker of it accepts connections."""
        return any(member.serves for member in self.members)

    @property
    def served_since(self) -> float:
        """When the newest worker that serves was admitted; long ago if none serves."""
        served = (member.admitted_at for member in self.members if member.serves)
        return max(served, default=-math.inf)

    def fail(self, now: float) -> float:
        """Note that a worker was lost; return how long to wait for the next one."""
        delay = BACK_OFF[min(self.failures, len(BACK_OFF) - 1)]
        self.failures += 1
        self.retry_at = now + delay
        return delay


# What the arbiter is to do.


@dataclass(frozen=True, slots=True)
class Spawn:
    """Fork a worker into this slot."""

    slot: int
    candidate: bool = False


@dataclass(frozen=True, slots=True)
class Admit:
    """Let this worker accept connections."""

    member: Member


@dataclass(frozen=True, slots=True)
class Retire:
    """Tell this worker to drain."""

    member: Member
    reason: str


Task: TypeAlias = Spawn | Admit | Retire


class Roster:
    """
    The slots, and how many of them there shall be.

    Attributes:
        target: how many workers shall serve.
        generation: of the workers that stay; raised when a candidate is ready.
        newest: the highest that there ever was.
        trying: whether a candidate is wanted, or boots.
        max_surge: how many processes more than ``target`` there may be.
        max_unavailable: in how many slots a worker may retire before its
            replacement, when there is no room for both.
        why_fewer: why workers beyond ``target`` retire, for the log.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.generation = self.newest = 1
        self.trying = False
        self.max_surge = 1
        self.max_unavailable = 0
        self.why_fewer = "one worker fewer"
        self.slots: dict[int, Slot] = {}
        self._forgiven_at = 0.0

    # --- Who there is -----------------------------------------------------------

    def members(self) -> list[Member]:
        """All processes, by slot."""
        return [
            member
            for number in sorted(self.slots)
            for member in self.slots[number].members
        ]

    def slot(self, number: int) -> Slot:
        """The slot of this number, which exists from now on."""
        return self.slots.setdefault(number, Slot(number))

    @property
    def target_in_words(self) -> str:
        """How many workers there shall be: ``1 worker``, ``2 workers``."""
        return f"{self.target} worker{'' if self.target == 1 else 's'}"

    @property
    def candidate(self) -> Member | None:
        """The worker that a reload waits for."""
        return next((m for m in self.members() if m.candidate), None)

    @property
    def complete(self) -> bool:
        """
        Whether every slot is served by a worker of this generation.

        One that asks to be replaced serves until it is: else busy workers with a small
        ``max_requests`` would keep a reload from its end.
        """
        return all(
            any(m.serves and m.generation == self.generation for m in slot.members)
            for slot in map(self.slot, range(self.target))
        )

    # --- What happened ------------------------------------------------------------

    def add(self, member: Member) -> None:
        """A worker was forked."""
        self.slot(member.slot).members.append(member)

    def ready(self, member: Member, now: float) -> None:
        """A worker has loaded the application."""
        member.move(Event.READY, now)
        if member.state is State.READY:
            member.deadline = math.inf

    def commit(self, candidate: Member) -> None:
        """The candidate is good: all workers of older generations are due."""
        candidate.candidate = self.trying = False
        self.generation = self.newest = candidate.generation
        for member in self.members():
            if member.generation < self.generation:
                member.due = member.due or "reload"
        for slot in self.slots.values():
            slot.failures, slot.retry_at = 0, 0.0

    def roll_back(self, generation: int) -> None:
        """The generation before is to stay; what serves of the new one, is due."""
        self.generation = generation
        for member in self.members():
            if member.generation != generation:
                member.due = member.due or "rolled back"
            elif member.due == "reload":
                member.due = ""
        for slot in self.slots.values():
            slot.failures, slot.retry_at = 0, 0.0

    def not_spawned(self, task: Spawn, now: float) -> float:
        """A worker could not be forked; return how long to wait, in seconds."""
        if task.candidate:
            self.trying = False
            return 0.0
        slot = self.slot(task.slot)
        return slot.fail(now) or slot.fail(now)  # never at once: it would be the same

    def admitted(self, member: Member, now: float) -> None:
        """A worker was told to accept."""
        member.move(Event.ADMIT, now)
        member.admitted_at = now

    def retired(self, member: Member, now: float, deadline: float) -> None:
        """A worker was told to drain, until *deadline*."""
        member.move(Event.RETIRE, now)
        member.due = member.due or "retired"
        if member.state is State.DRAINING:
            member.deadline = min(member.deadline, deadline)

    def condemned(self, member: Member, now: float) -> None:
        """A worker is to be killed."""
        member.move(Event.SILENT, now)

    def exited(self, member: Member, now: float) -> float:
        """
        A worker was reaped.

        Returns:
            How long its slot has to wait for the next one, in seconds; 0 also if
            that is there already, since this one was condemned, or if none is wanted.
        """
        slot = self.slots[member.slot]
        lost = member.wanted
        member.move(Event.EXIT, now)
        slot.members.remove(member)
        if not slot.members and slot.number >= self.target:
            del self.slots[slot.number]
        if member.candidate:
            self.trying = False
            return 0.0
        if now - member.admitted_at > PROVEN:
            slot.failures = 0
        delay = slot.fail(now) if lost else 0.0
        if slot.number >= self.target:
            return 0.0
        return 0.0 if any(m.stays and not m.candidate for m in slot.members) else delay

    def forgive(self, now: float, gap: float) -> None:
        """
        The master itself has slept for *gap* seconds: they count for nobody.

        After a suspended machine or a stopped container everybody looks silent.
        """
        self._forgiven_at = now
        for member in self.members():
            member.deadline += gap

    def abandon(self, *, unfit: bool = False) -> None:
        """Try no candidate any more; *unfit* if its check was not passed."""
        self.trying = False
        for member in self.members():
            if member.candidate:
                member.candidate = False
                member.unfit = unfit
                member.due = "its reload was abandoned"

    # --- What is next ---------------------------------------------------------------

    def tasks(self, now: float) -> Iterator[Task]:
        """
        What to do now; ask again after each, since each changes the rest.
        """
        for slot in list(self.slots.values()):
            for member in slot.members if slot.number >= self.target else ():
                if member.can_retire and not member.candidate:
                    yield Retire(member, member.due or self.why_fewer)
        # Whose worker has served longest comes first: else slots whose workers are due
        # again and again would take the room of those behind them.
        slots = map(self.slot, range(self.target))
        for slot in sorted(slots, key=lambda slot: slot.served_since):
            yield from self._tasks_of(slot, now)
        if self.trying and self.candidate is None:
            slot = self.slot(CANDIDATE_SLOT)
            yield from self._make_room(slot, Spawn(slot.number, candidate=True))

    def _tasks_of(self, slot: Slot, now: float) -> Iterator[Task]:
        """Keep one good worker in *slot*: admit it, then retire the others."""
        good = [m for m in slot.members if m.stays and not m.candidate]
        for member in good:
            if member.state is State.READY:
                yield Admit(member)
        for member in slot.members:
            # It serves nobody yet, and will not: its replacement has its room, else
            # each could wait for the other.
            if member.due and member.state in {State.BOOTING, State.READY}:
                yield Retire(member, member.due)
        if any(member.serves for member in good):
            for member in slot.members:
                if member.due and member.can_retire:
                    yield Retire(member, member.due)
        elif not good and now >= slot.retry_at and not self._kept_free(slot):
            if slot.serves or self.max_surge == 0:
                yield from self._make_room(slot, Spawn(slot.number))
            else:  # an empty slot does not wait for others who drain
                yield Spawn(slot.number)

    def _kept_free(self, slot: Slot) -> bool:
        """Whether the candidate has the place of a worker of this slot."""
        return self.trying and self.max_surge == 0 and slot.number == CANDIDATE_SLOT

    def _make_room(self, slot: Slot, spawn: Spawn) -> Iterator[Task]:
        """A process more, if there may be one; else one less, if that may be."""
        members = self.members()
        if len(members) < self.target + self.max_surge:
            yield spawn
        elif self.max_surge == 0 and self._unavailable() < self.max_unavailable:
            for member in slot.members:
                if member.can_retire and not member.candidate:
                    yield Retire(member, member.due or "reload")

    def _unavailable(self) -> int:
        """How many slots have no worker that accepts."""
        return sum(not self.slot(number).serves for number in range(self.target))

    # --- Who is late ----------------------------------------------------------------

    def late(self, now: float) -> Iterator[tuple[Member, float]]:
        """Who has to be killed, and for how many seconds it has been silent."""
        for member in self.members():
            if member.beats:
                silence = now - self._heard(member)
                if silence > member.timeout:
                    yield member, silence
                    continue
            if member.hurries and now >= member.deadline:
                yield member, now - member.since

    def _heard(self, member: Member) -> float:
        """When we last knew that a worker lives."""
        return max(member.heartbeat, member.since, self._forgiven_at)

    def next_deadline(self, now: float) -> float:
        """When somebody may be late, or a slot may have its next worker."""
        points = [math.inf]
        for slot in self.slots.values():
            if slot.number < self.target and slot.retry_at > now:
                points.append(slot.retry_at)
            for member in slot.members:
                if member.hurries:
                    points.append(member.deadline)
                if member.beats:
                    points.append(self._heard(member) + member.timeout)
        return min(points)
