"""
The connections of a loop whose queue is served by a pool of threads.

What a slow reader has not taken is the one thing that two threads touch, the
server that adds and the leader that sends. It has a lock, made when it is needed.
"""

import socket
import threading
from contextlib import AbstractContextManager
from typing import ClassVar, cast

from tiamat.drivers.connection import EventedConnection
from tiamat.drivers.outgoing import Outgoing
from tiamat.drivers.queued import QueuedConnection, QueuedLoop
from tiamat.drivers.service import FOREVER
from tiamat.drivers.transport import WRITE, Loop
from tiamat.system.poller import OUT, PollPoller
from tiamat.types import Environ


class PooledConnection(QueuedConnection):
    """
    A connection that threads of a pool serve, one at a time.

    Attributes:
        home: The selector loop; ``loop`` is who serves it.
        sending: Held by who touches what waits for the reader.
    """

    __slots__ = ("home", "sending")

    sending: threading.Lock

    def __init__(
        self, loop: Loop, sock: socket.socket, peer: tuple[str, str], base: Environ
    ) -> None:
        super().__init__(loop, sock, peer, base)
        self.home = loop

    # A reader that is slow

    def waiting(self) -> Outgoing:
        """The queue for what the socket doesn't take, with its lock."""
        if self.out is None:
            self.sending = threading.Lock()
        return super().waiting()

    def keep(self, out: Outgoing, data: memoryview) -> None:
        """Keep *data* for the reader; the leader sends it."""
        with self.sending:
            out.put(data)
            self._expect()

    def keep_file(self, out: Outgoing, fileno: int, offset: int, count: int) -> None:
        """Keep a part of a file for the reader; the leader sends it."""
        with self.sending:
            out.put_file(fileno, offset, count)
            self._expect()

    def _expect(self) -> None:
        """The leader may have sent all, and looks no more."""
        if self.disarmed or self.mask != OUT:
            self.loop.watch(self, OUT)

    def send(self, out: Outgoing) -> bool:
        """Send what the socket takes."""
        with self.sending:
            return out.send(self.sock)

    def flush_now(self, out: Outgoing) -> None:
        """Send at once; that all is sent is found when the application has ended."""
        try:
            self.send(out)
        except BlockingIOError:
            pass  # OUT tells when
        except OSError:
            self.broken = True

    def send_meanwhile(self) -> bool:
        """
        Send for an application that goes on; the leader calls it.

        Returns:
            Whether there was nothing to send, so that nothing is to be waited for.
        """
        out = self.out
        if out is None:
            return True
        with self.sending:
            if not self.taken:
                return False  # it has ended just now: the next turn does all
            self.wait = WRITE
            self.deadline = self.home.now + self.home.service.timeouts.write
            try:
                out.send(self.sock)
            except BlockingIOError:
                return False
            except OSError:
                self.broken = True
                return True
            if out.empty:
                # Within the lock: who adds more must find it disarmed.
                cast(PooledLoop, self.home).disarm(self)
            return False

    def settle(self) -> bool:
        """
        The application has ended: has the reader taken everything?

        Else the leader goes on, and what follows the last byte is its business.
        """
        out = self.out
        if out is not None:
            self.loop = self.home
            with self.sending:
                if not out.empty:
                    self.taken = False
                    if self.disarmed or self.mask != OUT:
                        self.home.watch(self, OUT)
                    return False
            self.all_sent()
            self.responded()
        return True

    def expire(self) -> None:
        """Its peer kept us waiting too long; who serves it hears of it."""
        if not self.taken:
            super().expire()
        elif self.out is not None:
            self.broken = True


class PooledLoop(QueuedLoop):
    """
    Accepts, reads and times out, in whichever thread leads; others serve.
    """

    connection_class: ClassVar[type[EventedConnection]] = PooledConnection

    def make_lock(self) -> AbstractContextManager[object]:
        """Held by who is at the poller: several threads are."""
        return threading.RLock()  # a signal handler closes listeners, too

    def make_room(self) -> bool:
        """Leave the rest in the kernel until what is in hand is served."""
        return False

    def sweep(self) -> None:
        """Look at every deadline, also of those that no thread may ever take."""
        super().sweep()
        if self.service.max_queue_time < FOREVER:
            self.turn_away()

    def turn_away(self) -> None:
        """
        Tell who has waited too long, for whom no thread has become free.

        What serves them sees that they are late, and leaves the application alone.
        """
        late_at = self.clock() - self.service.max_queue_time
        queue = self.queue
        while queue:
            try:
                connection = queue.popleft()
            except IndexError:
                return  # a thread was faster
            if connection.arrived_at >= late_at:
                queue.appendleft(connection)
                return
            try:
                connection.serve(connection.http.requests.pop(0))
            except Exception as error:
                self.failed(connection, error)
            self.give_back(connection)

    def give_back(self, connection: PooledConnection) -> None:
        """A request is served: the loop reads its connection again, or serves more."""
        requests = connection.http.requests
        if requests and requests[0].complete and connection.out is None:
            self.queue.append(connection)
            return
        connection.taken = False
        if connection.disarmed:
            self.arm(connection)

    @property
    def notices(self) -> bool:
        """Whether who polls notices what others change meanwhile, as epoll does."""
        return not isinstance(self._poller, PollPoller)

    def close_listeners(self) -> None:
        """Take no more connections. From any thread."""
        with self._arming:
            super().close_listeners()
