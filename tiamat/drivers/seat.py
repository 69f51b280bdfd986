"""One thread of a pool: it leads, helps, or sleeps; ``pool`` says which and why."""

import threading
import time
from typing import TYPE_CHECKING, Final

from tiamat.drivers.pooled import PooledConnection
from tiamat.system.scoreboard import Row

if TYPE_CHECKING:
    from tiamat.drivers.pool import Pool

TURN: Final = 1.0
"""At most so many seconds between two looks at deadlines."""


class Seat:
    """
    One thread of the pool, and what its connections see as their loop.

    Attributes:
        row: The request that it serves, and since when.
        begun: How many requests it has taken.
        handled, seconds, tally: As those of the loop, of this thread.
    """

    def __init__(self, pool: "Pool", number: int, row: Row) -> None:
        loop = pool.loop
        self.pool = pool
        self.row = row
        self.note = row.note
        self.tally = row.tally
        self.service = loop.service
        self.common = loop.common
        self.environ = loop.environ
        self.handle = loop.handle
        self.clock = loop.clock
        self.keepalive = loop.keepalive
        self.reports = loop.reports
        self.ready = loop.ready
        self.watch = loop.watch
        self.unwatch = loop.unwatch
        self.forget = loop.forget
        self.keeps_alive = loop.keeps_alive
        self.now = loop.now
        self.always_keeps = False
        self.refresh_at = 0.0
        self.begun = 0
        self.handled = 0
        self.seconds = 0.0
        self._asleep = threading.Lock()
        self._asleep.acquire()
        self.thread = threading.Thread(
            target=self.run, name=f"worker-thread-{number}", daemon=True
        )

    def refresh(self) -> None:
        """Another second has begun: the Date of responses follows."""
        self.refresh_at = self.now + 1.0 - self.now % 1.0
        self.common.refresh(int(time.time()))

    def wake(self) -> None:
        """End the sleep of this thread, which stands on the stack no more."""
        self._asleep.release()

    def run(self) -> None:
        """Live; a mistake of ours that ends this thread ends the worker."""
        try:
            self.live()
        except BaseException as error:
            self.pool.failure = error
            self.pool.wake_main()

    def live(self) -> None:
        """Lead, help, or sleep, until the pool ends."""
        pool = self.pool
        while not pool.ended:
            if pool.take_lead():
                self.lead()
            elif not (pool.wants_help() and self.help()):
                pool.idle.append(self)
                pool.now_free()
                self._asleep.acquire()

    def lead(self) -> None:
        """Run the loop, and serve what is ready, until another one leads."""
        pool, loop = self.pool, self.pool.loop
        pool.working = False
        loop.go_on()
        loop.row.set_idle(True)
        while not pool.summoned:
            if loop.queue:
                if not self.work():
                    return
            else:
                loop.turn(TURN)
        pool.give_lead()

    def work(self) -> bool:
        """
        Serve in place what waits; the lead lies on the table meanwhile.

        Returns:
            Whether we still have the lead.

        Hot: once per turn, its loop once per request.
        """
        pool = self.pool
        loop = pool.loop
        queue = loop.queue
        table = pool.table
        pool.working = True
        if pool.dozing:
            pool.wake_main()
        self.now = loop.now
        while True:
            try:
                connection = queue.popleft()
            except IndexError:
                break  # another one was faster
            table.append(self)
            if pool.eager:
                pool.call()
            self.serve(connection)
            try:
                table.pop()
            except IndexError:
                self.row.end()
                pool.served()
                return False
            if not queue:
                break
        pool.working = False
        self.row.end()
        pool.served()
        return True

    def help(self) -> bool:
        """Serve one request while another one leads; False if none waits."""
        try:
            connection = self.pool.loop.queue.popleft()
        except IndexError:
            return False
        self.pool.moves = True
        self.now = self.clock()
        self.serve(connection)
        self.row.end()
        self.pool.served()
        return True

    def serve(self, connection: PooledConnection) -> None:
        """
        Serve one request of a connection, and give the connection back.

        Hot: once per request.
        """
        loop = self.pool.loop
        connection.loop = self
        self.always_keeps = loop.always_keeps
        self.begun += 1
        requests = connection.http.requests
        try:
            connection.serve(requests.pop(0))
            if connection.out is not None and not connection.settle():
                return
        except (Exception, SystemExit) as error:
            loop.failed(connection, error)
        requests = connection.http.requests
        connection.loop = loop
        if requests and requests[0].complete and connection.out is None:
            loop.queue.append(connection)
            return
        connection.taken = False
        if connection.disarmed:
            loop.arm(connection)
