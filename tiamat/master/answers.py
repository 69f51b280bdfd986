"""Answers to commands, perhaps not known yet; and what may be said with a command."""

import math
from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from tiamat.master.outcome import Outcome


class Answer(NamedTuple):
    """
    What comes back.

    Attributes:
        status: the exit status of ``tiamatctl``.
        text: for people.
        data: for programs.
    """

    status: int
    text: str
    data: object = None


class Pending:
    """
    An answer that is not known yet.

    Args:
        until: when nobody waits for it any longer.
        late: what is said then.
        pid: of the worker whose word it is, if it is one's.

    Attributes:
        began: when it was asked for.
        answer: it, as soon as it is known.
    """

    def __init__(self, until: float = math.inf, late: str = "", pid: int = 0) -> None:
        self.began = monotonic()
        self.until = until
        self.late = late
        self.pid = pid
        self.answer: Answer | None = None

    @property
    def due(self) -> float:
        """When ``result`` is one."""
        return self.until if self.answer is None else monotonic()

    def result(self, now: float) -> Answer | None:
        """The answer, if there is one."""
        if self.answer is None and now >= self.until:
            return Answer(1, self.late)
        return self.answer

    def reloaded(self, outcome: "Outcome", reason: str) -> None:
        """What has become of the reload that was waited for."""
        self.answer = Answer(
            outcome.value,
            f"{outcome}: {reason}",
            {
                "outcome": str(outcome),
                "reason": reason,
                "seconds": monotonic() - self.began,
            },
        )


Command: TypeAlias = Callable[..., Answer | Pending]


class Parameter(NamedTuple):
    """
    What may be said with a command.

    Attributes:
        flag: whether it is said by its name alone; else it is a whole number.
        help: from the docstring.
        text: whether it may be a name as well as a number.
    """

    name: str
    flag: bool
    help: str
    text: bool = False


def parameters(command: Command) -> list[Parameter]:
    """The parameters of a command, without the arbiter."""
    code = command.__code__
    described = dict(descriptions(command.__doc__ or ""))
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    flags = command.__kwdefaults__ or {}
    return [
        Parameter(
            *(name, name in flags, described.get(name, "")),
            text=command.__annotations__.get(name) == int | str,
        )
        for name in names
    ]


def descriptions(doc: str) -> Iterator[tuple[str, str]]:
    """What the section ``Args`` of a docstring says of each name."""
    _, _, section = doc.partition("Args:\n")
    lines = section.rstrip().splitlines()
    depth = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
    name, words = "", [""]
    for line in lines:
        text = line.strip()
        if line[: depth + 1].strip():
            if name:
                yield name, " ".join(words)
            name, _, text = text.partition(": ")
            words = []
        words.append(text)
    if name:
        yield name, " ".join(words)
