"""
The ways of the master: a method for each thing that its loop does, at its time.

Who embeds the server may bring ways of its own. What it does not replace is done as
ever, so that it keeps what we promise.
"""

import math
from typing import TYPE_CHECKING

from tiamat.master.orders import ORDERS
from tiamat.master.server import Server

if TYPE_CHECKING:
    from signal import Signals

    from tiamat.master.arbiter import Arbiter


class Ways:
    """
    How the loop does what it does.

    Attributes:
        arbiter: whose.
        server: what hooks see of it.
    """

    def __init__(self, arbiter: "Arbiter", server: Server | None = None) -> None:
        self.arbiter = arbiter
        self.server = server or Server(arbiter)

    @property
    def deadline(self) -> float:
        """When the loop must not sleep any more, though nothing has happened."""
        return math.inf

    def start(self) -> None:
        """
        Do what comes before the first worker.

        Raises:
            TiamatError: the server can't start.
        """
        self.arbiter.start()

    def init_signals(self) -> None:
        """Let signals come to the loop."""
        self.arbiter.inbox.catch(ORDERS)

    def obey(self, number: "Signals") -> None:
        """Do what a signal asks for."""
        ORDERS[number](self.arbiter)

    def murder_workers(self) -> None:
        """Kill who is silent, or too slow to boot or to drain."""
        self.arbiter.keeper.kill_late()

    def manage_workers(self) -> None:
        """See that there are as many workers as there shall be."""
        self.arbiter.keeper.keep()

    def reap_workers(self) -> None:
        """Bury those who have ended."""
        self.arbiter.reap()
