"""
What master and worker tell each other: a dataclass each.

On the wire a message is JSON, ``["Ready", {}]``: it can be read in a trace, and a
worker that has gone bad can't make the master execute anything, as with pickle.
"""

import json
from dataclasses import dataclass, fields
from typing import Any, Final, TypeAlias, get_args

# Six bytes each if all are escapes (\u0000): these have to fit into the 208 KiB that
# Linux gives a socket (net.core.wmem_default), or a packet can't be sent at all.
TEXT_LIMIT: Final = 30_000
"""The most characters of a text in a message; of longer ones the end is kept."""

POST_LIMIT: Final = 60_000
"""The most bytes of what an application may post, as it goes over a channel."""

TO_MASTER: Final = "master"
TO_ALL: Final = "all"


# --- From a worker to the master ---------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has loaded the application; it waits for ``Accept``."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """
    The worker's sign of life is the time of a file, whose descriptor comes along.

    It is of another make than ours, and does not know the scoreboard.
    """


@dataclass(frozen=True, slots=True)
class Retiring:
    """The worker wants to be replaced; it serves until it gets ``Drain``."""

    reason: str  # "max_requests", …


@dataclass(frozen=True, slots=True)
class Stack:
    """The answer to ``Dump``: what every thread of the worker does."""

    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker can't load the application, and exits with this status."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """
    The answer to ``Check``.

    ``status`` is that of the response, 0 if there was no request. ``failure`` says
    why the worker is not fit to serve; it is empty if it is.
    """

    status: int
    failure: str


@dataclass(frozen=True, slots=True)
class Changed:
    """Under ``reload``: files of the application were changed."""

    files: str  # "shop/views.py, shop/urls.py"


@dataclass(frozen=True, slots=True)
class Post:
    """What the application has to say to other processes of this server."""

    topic: str
    data: Any  # what JSON can say
    to: str | int  # TO_MASTER, TO_ALL, or a slot


# --- Between the master and a mold ---------------------------------------------


@dataclass(frozen=True, slots=True)
class Handed:
    """Descriptors for the message that follows; more than fit into one come so."""


@dataclass(frozen=True, slots=True)
class Fork:
    """
    Fork a worker; the answer is ``Spawned`` or ``NotSpawned``.

    Its descriptors are the worker's end of its channel, the writing end of its pipe
    for stacks, and its listeners.
    """

    slot: int
    generation: int
    age: int
    row: int  # the index of its row in the scoreboard
    listeners: dict[str, bool]  # by address: whether it is inherited


@dataclass(frozen=True, slots=True)
class Spawned:
    """The worker is there, and the master's child."""

    pid: int


@dataclass(frozen=True, slots=True)
class NotSpawned:
    """There is no such worker, and why."""

    text: str


# --- Between the master and the helper that answers on status_bind ---------------


@dataclass(frozen=True, slots=True)
class Look:
    """The helper asks for what is in no scoreboard; the answer is ``Facts``."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What only the master knows."""

    facts: dict[str, Any]


# --- From the master to a worker ---------------------------------------------


@dataclass(frozen=True, slots=True)
class Accept:
    """Begin to accept connections."""


@dataclass(frozen=True, slots=True)
class Check:
    """See whether you are fit to serve, before anybody connects."""


@dataclass(frozen=True, slots=True)
class Drain:
    """
    Finish what is here, then exit.

    ``final``: nobody serves after you, so first serve what waits in the kernel's
    queue of every listener that is not inherited; nothing new gets in there.
    """

    final: bool


@dataclass(frozen=True, slots=True)
class Reopen:
    """Open the log files again: they were rotated."""


@dataclass(frozen=True, slots=True)
class Dump:
    """
    Say at once what your threads do; the answer is ``Stack``.

    ``condemned``: you will be killed, so accept nobody any more.
    """

    condemned: bool = False


@dataclass(frozen=True, slots=True)
class Posted:
    """What another process of this server says to the application."""

    topic: str
    data: Any
    sender: int | None  # the slot of a worker; None is the master


@dataclass(frozen=True, slots=True)
class Missed:
    """So many ``Posted`` there was no room for, right before the next one."""

    count: int


# --- Between an old master and a new one ----------------------------------------
# The new one says ``Ready`` when all its workers serve, or ``Failed``.


@dataclass(frozen=True, slots=True)
class TakeOver:
    """The old master has retired its workers: its names are the new one's."""


@dataclass(frozen=True, slots=True)
class BeMain:
    """The old master goes: the service manager listens to the new one now."""


@dataclass(frozen=True, slots=True)
class Relieved:
    """The old master has no helpers of the settings any more."""


FromWorker: TypeAlias = (
    Ready | Pulse | Retiring | Stack | Failed | Checked | Changed | Post
)
ToWorker: TypeAlias = Accept | Check | Drain | Reopen | Dump | Posted | Missed
OfMold: TypeAlias = Handed | Fork | Spawned | NotSpawned
OfHelper: TypeAlias = Look | Facts
ToMaster: TypeAlias = TakeOver | BeMain | Relieved
Message: TypeAlias = FromWorker | ToWorker | OfMold | OfHelper | ToMaster

KINDS: Final[dict[str, type[Message]]] = {
    kind.__name__: kind
    for group in (FromWorker, ToWorker, OfMold, OfHelper, ToMaster)
    for kind in get_args(group)
}


def encode(message: Message) -> bytes:
    """
    The message as it goes over a channel.

    Raises:
        TypeError: an application posts what JSON can't say.
        ValueError: it posts more than ``POST_LIMIT``, or what contains itself.
    """
    values = {}
    for field in fields(message):
        value = getattr(message, field.name)
        values[field.name] = value[-TEXT_LIMIT:] if field.type is str else value
    data = json.dumps([type(message).__name__, values], ensure_ascii=False).encode(
        "utf-8", "backslashreplace"
    )
    if isinstance(message, Post | Posted) and len(data) > POST_LIMIT:
        raise ValueError(f"{len(data)} bytes are more than {POST_LIMIT}")
    return data


def decode(data: bytes) -> Message:
    """
    The message that these bytes are.

    Raises:
        ValueError: they are none.
    """
    try:
        name, values = json.loads(data)
        return KINDS[name](**values)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no message: {data[:80]!r}") from error
