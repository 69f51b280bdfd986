"""What code that was written for gunicorn asks of a worker, beside our own names."""

import time
from typing import TYPE_CHECKING, Any

from tiamat.system.scoreboard import HEARTBEAT

if TYPE_CHECKING:
    from tiamat.system.scoreboard import Row


class GunicornNames:
    """A worker, under gunicorn's other names."""

    app: Any
    row: "Row"

    @property
    def wsgi(self) -> Any:
        """The application."""
        return self.app

    @property
    def tmp(self) -> "Heartbeat":
        """gunicorn has a file here that workers touch."""
        return Heartbeat(self.row)

    def notify(self) -> None:
        """Say that the worker lives, in the midst of long work of a hook's."""
        self.row.beat(time.monotonic())


class Heartbeat:
    """The sign of life of one worker, as gunicorn's file of it."""

    def __init__(self, row: "Row") -> None:
        self.row = row

    def notify(self) -> None:
        """Say that the worker lives."""
        self.row.beat(time.monotonic())

    def last_update(self) -> float:
        """When it said so last, on the monotonic clock, in seconds."""
        return self.row.times[HEARTBEAT]

    def close(self) -> None:
        """Nothing: there is no file."""
