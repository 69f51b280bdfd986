"""
What may be asked of the master: a function each, and its docstring is the help.

Parameters without a default are the words behind the command, those behind the star
are its flags. ``tiamatctl`` makes its command line of them, so this module imports
next to nothing.
"""

from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import tiamat
from tiamat.master.answers import Answer, Command, Pending, parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiamat.master.arbiter import Arbiter
    from tiamat.master.mold import Mold
    from tiamat.master.spawn import Forked

STACK_PATIENCE: Final = 2.0
"""Seconds that a worker has to say what it does."""


# --- The commands ---------------------------------------------------------------


def status(arbiter: "Arbiter") -> Answer:
    """Show the master, its workers, and what they have in the application."""
    from tiamat.system.scoreboard import REQUESTS

    premises, roster, board = (
        arbiter.premises,
        arbiter.roster,
        arbiter.keeper.scoreboard,
    )
    last = arbiter.reload.last
    now = monotonic()
    workers = sorted(
        (worker_status(forked, now) for forked in arbiter.keeper.workers.values()),
        key=lambda worker: (worker["slot"], worker["generation"], worker["pid"]),
    )
    serving = sum(worker["state"] == "serving" for worker in workers)
    return Answer(
        0,
        f"{serving} of {roster.target_in_words} serving",
        {
            "version": tiamat.__version__,
            "pid": premises.pid,
            "seconds": now - arbiter.control.began,
            "application": premises.config.app,
            "listeners": premises.plan.listeners.urls(premises.config.scheme),
            "target": roster.target,
            "serving": serving,
            "generation": roster.generation,
            "stopping": arbiter.leaving,
            "reloading": arbiter.reload.running,
            "last_reload": str(last) if last is not None else None,
            "requests": board.total(REQUESTS),
            "took": board.seconds(),
            "errors": board.errors(),
            "workers": workers,
            "molds": [mold_status(mold, now) for mold in arbiter.keeper.molds.all],
            "helper": arbiter.helper.status(now),
            "helpers": arbiter.crew.status(now),
        },
    )


def mold_status(mold: "Mold", now: float) -> dict[str, Any]:
    """One mold; its state is that which a worker would have."""
    member = mold.member
    return {
        "pid": member.pid,
        "generation": member.generation,
        "state": "ended" if mold.ended else member.state.value,
        "seconds": now - mold.began,
    }


def worker_status(forked: "Forked", now: float) -> dict[str, Any]:
    """One worker; times are lengths, in seconds."""
    from tiamat.system.scoreboard import (
        BUSY,
        CONNECTIONS,
        HEARTBEAT,
        MEMORY,
        REQUESTS,
        SECONDS,
        STARTED_AT,
        errors,
    )

    member, row = forked.member, forked.row
    request, heartbeat = row.request(), row.times[HEARTBEAT]
    return {
        "slot": member.slot,
        "pid": member.pid,
        "generation": member.generation,
        "state": member.state.value,
        "due": member.due,
        "seconds": now - row.times[STARTED_AT],
        "silent": now - heartbeat if heartbeat else None,
        "busy": row.state == BUSY,
        "in_flight": row.in_flight,
        "memory": row.counts[MEMORY],
        "requests": row.counts[REQUESTS],
        "took": row.times[SECONDS],
        "errors": errors(row.tally),
        "connections": row.counts[CONNECTIONS],
        "request": request
        and {
            "method": request[0],
            "path": request[1].partition("?")[0],  # queries have secrets
            "seconds": max(0.0, now - request[2]),
        },
    }


def reload(arbiter: "Arbiter", *, wait: bool = False) -> Answer | Pending:
    """
    Read the settings and the application again; replace the workers.

    Args:
        wait: answer when the outcome is known. The exit status is 0 if the reload is
            committed; 10 config error, 11 boot failed, 12 check failed, 13 rolled
            back, 14 superseded.
    """
    if arbiter.leaving:
        return Answer(1, "the server is stopping")
    if arbiter.handover.starts:
        return Answer(1, "a new master starts, and takes over by itself")
    pending = Pending()
    behind = arbiter.reload.running
    arbiter.reload.request(monotonic(), [pending])
    if wait:
        return pending
    return Answer(0, "reloading, behind another reload" if behind else "reloading")


def scale(arbiter: "Arbiter", count: int) -> Answer:
    """
    Have so many workers, until the next reload.

    Args:
        count: how many.
    """
    most = arbiter.keeper.most
    if arbiter.leaving:
        return Answer(1, "the server is stopping")
    if not 1 <= count <= most:
        return Answer(1, f"there can be 1 to {most} workers, not {count}")
    arbiter.keeper.set_target(count)
    return Answer(0, f"{arbiter.roster.target_in_words} from now on", {"target": count})


def restart(arbiter: "Arbiter", slot: int | str) -> Answer:
    """
    Replace one worker, which is ready before the old one retires; or one helper.

    Args:
        slot: the number of its slot, as ``status`` shows it, or the helper's name.
    """
    if isinstance(slot, str):
        return restart_helper(arbiter, slot)
    found = [f for f in workers_of(arbiter, slot) if f.member.state.value == "serving"]
    if not found or arbiter.leaving:
        return Answer(1, f"no worker serves in slot {slot}")
    for forked in found:
        forked.member.due = forked.member.due or "restart"
    names = " and ".join(map(str, found))
    return Answer(0, f"{names} retires when its replacement serves")


def restart_helper(arbiter: "Arbiter", name: str) -> Answer:
    """Replace one of ``helpers``; the old one ends before the new one begins."""
    hand = arbiter.crew.hands.get(name)
    if hand is None or arbiter.leaving:
        names = ", ".join(arbiter.crew.hands) or "there are none"
        return Answer(1, f"no helper {name!r}: {names}")
    if not hand.pid:
        hand.slot.retry_at = monotonic()
        return Answer(0, f"helper {name} begins")
    hand.due = hand.due or "restart"
    return Answer(0, f"{hand} is told to go; the next one comes then")


def stack(arbiter: "Arbiter", slot: int) -> Answer | Pending:
    """
    Show what every thread of a worker does.

    Args:
        slot: the number of its slot, as ``status`` shows it.
    """
    from tiamat.system.messages import Dump

    found = list(workers_of(arbiter, slot))
    if not found:
        return Answer(1, f"there is no worker in slot {slot}")
    serving = [f for f in found if f.member.state.value == "serving"]
    forked = (serving or found)[-1]
    silence = f"{forked} does not answer within {STACK_PATIENCE:g} s"
    if not forked.send(Dump()):
        return Answer(1, f"{forked} does not read what it is asked")
    return Pending(monotonic() + STACK_PATIENCE, silence, forked.member.pid)


def metrics(arbiter: "Arbiter") -> Answer:
    """Show the figures of all workers together, as Prometheus reads them."""
    from tiamat.master.helpers import facts
    from tiamat.observe.figures import figures

    found = figures(arbiter.keeper.scoreboard, facts(arbiter), monotonic())
    return Answer(0, "the figures are in the data", found)


def reopen(arbiter: "Arbiter") -> Answer:
    """Open the log files again, after they were rotated."""
    from tiamat.master import orders

    orders.reopen_logs(arbiter)
    return Answer(0, "the logs are open again")


def stop(arbiter: "Arbiter", *, now: bool = False) -> Answer:
    """
    Finish what is here, and stop the server; a second time, without drain_delay.

    Args:
        now: finish nothing.
    """
    from tiamat.master import orders

    if now:
        orders.interrupt(arbiter)
        return Answer(0, "stopping at once")
    orders.terminate(arbiter)
    limit = arbiter.premises.config.graceful_timeout
    if arbiter.delay.runs:
        limit += arbiter.premises.config.drain_delay
    return Answer(0, f"stopping, within {limit:g} s")


def config(arbiter: "Arbiter") -> Answer:
    """Show every setting, and where its value comes from."""
    from tiamat.config import show

    settings = arbiter.premises.config
    data = {
        name: {"value": show.shown(name, value), "origin": settings.origin(name)}
        for name, value in settings.values.items()
    }
    return Answer(0, "\n".join(show.lines(settings)), data)


def workers_of(arbiter: "Arbiter", slot: int) -> "Iterator[Forked]":
    """The workers in a slot, the oldest first."""
    for forked in arbiter.keeper.workers.values():
        if forked.member.slot == slot:
            yield forked


# --- The table --------------------------------------------------------------------

READING: Final[tuple[Command, ...]] = (status, stack, metrics, config)
"""They change nothing, so the log does not tell of them."""

COMMANDS: Final[dict[str, Command]] = {
    command.__name__: command
    for command in (
        *(status, reload, scale, restart, stack, metrics, reopen, stop, config),
    )
}


def in_words(name: str, arguments: dict[str, object]) -> str:
    """A command as it would be given: ``reload --wait``, ``scale 4``."""
    words = [name]
    for key, value in arguments.items():
        if value is True:
            words.append(f"--{key}")
        elif value is not False:
            words.append(str(value))
    return " ".join(words)


def changes(name: str) -> bool:
    """Whether the log shall tell that this was asked for."""
    return COMMANDS.get(name) not in (None, *READING)


def call(
    arbiter: "Arbiter", name: str, arguments: dict[str, object]
) -> Answer | Pending:
    """
    Do what is asked for.

    Raises:
        ValueError: there is no such command, or it takes other arguments.
    """
    command = COMMANDS.get(name)
    if command is None:
        raise ValueError(f"no command {name!r}; there are {', '.join(COMMANDS)}")
    known = parameters(command)
    if unknown := arguments.keys() - {parameter.name for parameter in known}:
        raise ValueError(f"{name} takes no {min(unknown)!r}")
    for parameter in known:
        value = arguments.get(parameter.name, False if parameter.flag else None)
        if parameter.text and type(value) is str:
            continue
        if type(value) is not (bool if parameter.flag else int):
            kind = "true or false" if parameter.flag else "a whole number"
            raise ValueError(f"{name} takes {kind} for {parameter.name!r}")
    return command(arbiter, **arguments)
