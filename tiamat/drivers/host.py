"""
A loop whose requests run in greenlets, each as long as its application does.

Theory: a greenlet for each connection costs two switches, a wait in the hub and
its memory for each request, though most applications answer at once. So nobody
waits for a connection but this loop. It reads what came for all, and switches to a
*server*, a greenlet that serves one after the other. A server that waits for
something inside an application switches to the hub, as everything does there, and
so is back here: the next server, a new one if need be, goes on with the rest. Who
is through with the queue rests until there is more.

The hub of the greenlets calls ``turn``; nothing here may be called elsewhere unless
it says so. What greenlets are is a subclass's business.
"""

from collections.abc import Iterator, Sequence
from socket import socket
from typing import Any, ClassVar, Final, cast

from tiamat.drivers.accepting import Row
from tiamat.drivers.blocking import BlockingConnection
from tiamat.drivers.connection import EventedConnection
from tiamat.drivers.evented import Handle
from tiamat.drivers.queued import QueuedLoop
from tiamat.drivers.service import WSGIService
from tiamat.system.poller import GONE, IN

# So many servers stay, whether they are needed or not. Of the others those end that
# nobody needed between two sweeps, and with them what applications keep for each,
# such as database connections. To make one costs as much as a request.
_RESTING: Final = 16


class Host(QueuedLoop):
    """
    Accepts, reads and times out; greenlets serve.

    Attributes:
        busiest: How many requests may be in the application at a time.
        active: How many servers are at work.
        waiting: How many of them wait for their clients.
        resting: Those that wait for work; the last one is called first.
        failure: What went wrong in a turn, and is no application's fault.
    """

    connection_class: ClassVar[type[EventedConnection]] = BlockingConnection

    def __init__(
        self,
        listeners: Sequence[socket],
        service: WSGIService,
        row: Row,
        handle: Handle,
    ) -> None:
        super().__init__(listeners, service, row, handle)
        self.busiest = 1000
        self.active = 0
        self.waiting = 0
        self.resting: list[Any] = []
        self.failure: BaseException | None = None
        self.free = self.has_place
        self._called: Any = None  # who is switched to, so that it works
        self._unneeded = 0  # the fewest that rested since the last sweep
        self._woken: list[BlockingConnection] = []
        self._closed = False

    # What greenlets are

    def current(self) -> Any:
        """The greenlet that runs."""
        raise NotImplementedError

    def rest(self) -> None:
        """Let others run, until somebody switches back."""
        raise NotImplementedError

    def make_server(self) -> Any:
        """A new greenlet for ``live``; it begins when it is switched to."""
        raise NotImplementedError

    def soon(self) -> None:
        """Have the hub make a turn, behind what it does now. From any greenlet."""
        raise NotImplementedError

    # The turn

    def turn(self, timeout: float = 0.0) -> None:
        """
        Do what there is to do, in the hub.

        Hot: once per turn.
        """
        if self._closed:
            return
        try:
            super().turn(timeout)
            if self._woken:
                self._wake()
            if self.ready:
                self.soon()  # behind what others have to do
        except Exception as error:
            self.failure = error

    def _wake(self) -> None:
        """Switch to those that wait for a socket which is ready now."""
        woken, self._woken = self._woken, []
        for connection in woken:
            if connection.waiter is not None:
                connection.waiter.switch()

    def serve_ready(self) -> None:
        """
        Have those served who are to be, until all that is left is waiting.

        Hot: once per turn, its loop once for each that waits in its application.
        """
        super().serve_ready()
        queue = self.queue
        while queue:
            if self.active - self.waiting >= self.busiest:
                self.pause()
                return
            server = self.resting.pop() if self.resting else self.make_server()
            if len(self.resting) < self._unneeded:
                self._unneeded = len(self.resting)
            self.active += 1
            self._called = server
            server.switch()
            self.now = self.clock()

    def meanwhile(self, connection: Any, mask: int) -> None:
        """Something happens on a connection that is being served."""
        if connection.waiter is not None:
            self._woken.append(connection)
            return
        if mask & GONE:
            connection.broken = True
        self.disarm(connection)

    def has_place(self) -> bool:
        """Whether another request may go into the application."""
        return self.active - self.waiting < self.busiest

    def begin_wait(self) -> None:
        """A server waits for its client: another one may have its place."""
        self.waiting += 1
        if self.paused:
            self.go_on()
            self.soon()

    def sweep(self) -> None:
        """Look at every deadline; let servers end that nobody needed."""
        super().sweep()
        resting = self.resting
        for _ in range(min(self._unneeded, len(resting) - _RESTING)):
            resting.pop(0).throw()
        self._unneeded = len(resting)

    # What servers do

    def live(self) -> None:
        """
        The life of a server: serve what waits, then rest until there is more.

        Hot: its inner loop, once per request.
        """
        me = self.current()
        queue = self.queue
        while True:
            self._called = None
            while queue:
                # What one request leaves in context variables is not for the next.
                me.gr_context = None
                connection = queue.popleft()
                connection.server = me
                try:
                    connection.serve(connection.http.requests.pop(0))
                except SystemExit:
                    raise  # a signal's
                except BaseException as error:
                    connection.began = 0.0
                    self.failed(connection, error)
                connection.server = None
                connection.taken = False
                if connection.http.requests:
                    # Another one is here already: it waits for its turn.
                    self.ready.append(connection)
                    self.soon()
                if connection.disarmed or connection.mask != IN:
                    self.watch(connection, 0 if connection.muted else IN)
                if self.paused:
                    # One more has its turn behind those who wait here: else clients
                    # that stay could keep every place, and nobody else had one.
                    self.go_on()
            self.active -= 1
            self.resting.append(me)
            self.rest()
            while self._called is not me:  # somebody has switched here for nothing
                self.rest()

    # What the worker asks

    def busy(self) -> list[BlockingConnection]:
        """Connections whose request is in the application. From any greenlet."""
        connections = cast("list[BlockingConnection]", list(self._connections.values()))
        return [connection for connection in connections if connection.began]

    def overdue(self, now: float, age: float) -> Iterator[BlockingConnection]:
        """Those whose request is older than *age*; each request once."""
        for connection in self.busy():
            began = connection.began
            if now - began > age and connection.told != began:
                connection.told = began
                yield connection

    def show_oldest(self) -> None:
        """The row shows the request that has been in the application longest."""
        busy = self.busy()
        if busy:
            oldest = min(busy, key=lambda c: c.began)
            self.note(self.clock(), oldest.began, oldest.request.head)
        else:
            self.row.end()

    def close(self) -> None:
        """Close everything now. From any greenlet."""
        self._closed = True
        super().close()
