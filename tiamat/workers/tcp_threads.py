"""A server of a worker script's in threads; in a patched process, in greenlets."""

import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from inspect import isawaitable
from typing import Any, Final, Protocol

from tiamat.drivers.tcp import in_flight
from tiamat.errors import AppError
from tiamat.system.listener import Listener
from tiamat.system.queues import readable
from tiamat.system.scoreboard import CONNECTIONS, IN_FLIGHT, REQUESTS
from tiamat.system.sockets import EXHAUSTED
from tiamat.workers.tcp import TCPWorker

BEAT: Final = 1.0
"""Seconds between two signs of life."""

MOMENT: Final = 0.05
"""Seconds between two looks whether connections have ended."""


class Serving(Protocol):
    """What hands the sockets to a server."""

    handled: int
    failure: BaseException | None

    @property
    def accepting(self) -> bool: ...
    @property
    def connections(self) -> int: ...
    @property
    def ended(self) -> bool: ...
    def begin(self) -> None: ...
    def look(self) -> None: ...
    def stop(self) -> None: ...
    def end(self) -> None: ...


class ThreadWorker(TCPWorker):
    """
    What is written for threads, or for one connection at a time.

    The main thread hears signals and the master; the server has threads of its own.
    """

    def run(self) -> None:
        """Serve until told to stop, then drain."""
        serving = self.make_serving()
        poll = select.poll()  # gevent's, where it has patched
        poll.register(self.wakeup, select.POLLIN)
        if self.orphaned:
            return
        serving.begin()
        while self.alive:
            poll.poll(BEAT * 1000)
            self.look(serving)
            if serving.ended and self.alive:
                self.log.error("%s: it has ended", self, exc_info=serving.failure)
                raise SystemExit(1)
        self.drain_serving(serving)

    def make_serving(self) -> Serving:
        """What hands the sockets to the server."""
        if self.kind == "handler":
            return Handled(self)
        if self.kind == "socketserver":
            return SocketServer(self)
        return Blocking(self)

    def look(self, serving: Serving) -> None:
        """See to what was asked for, and copy the numbers to the scoreboard."""
        self.handle_wakeup()
        now = time.monotonic()
        self.row.beat(now)
        if self.security is not None:
            self.security.look(now)
        serving.look()
        counts = self.row.counts
        counts[REQUESTS] = self.nr = serving.handled
        counts[CONNECTIONS] = counts[IN_FLIGHT] = serving.connections
        if self.nr >= self.max_requests:
            self.retire("max_requests")
        self.log.flush()

    def drain_serving(self, serving: Serving) -> None:
        """Let it finish, up to the deadline."""
        serving.stop()
        self.tell_stop()
        while serving.accepting and time.monotonic() < self.deadline():
            time.sleep(MOMENT)
            self.look(serving)
        self.close_listeners()
        while serving.connections and time.monotonic() < self.deadline():
            time.sleep(MOMENT)
            self.look(serving)
        serving.end()
        if serving.connections:
            self.log.warning(
                "%s: %d connections were cut off", self, serving.connections
            )
        self.look(serving)

    def deliver(self) -> None:
        """In a thread that ends with them: the main thread looks after the others."""
        self.mailbox.deliver_in_thread()


class InThread:
    """
    A function of a server's in a thread of its own, for as long as it serves.

    Attributes:
        handled: how many connections there were, if we know.
        failure: what the function has raised.
    """

    def __init__(self, worker: TCPWorker) -> None:
        self.worker = worker
        self.server: Any = worker.made
        self.handled = 0
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="server", daemon=True)

    def serve(self) -> None:
        """What it does there."""
        raise NotImplementedError

    def _run(self) -> None:
        try:
            self.serve()
        except BaseException as error:
            self.failure = error
        self.worker.wakeup.wake()

    @property
    def accepting(self) -> bool:
        """Whether it may take another connection, though it was told to stop."""
        return False

    @property
    def connections(self) -> int:
        """How many there are, if it says so."""
        return in_flight(self.server)

    @property
    def ended(self) -> bool:
        """Whether it serves no more."""
        return not self.thread.is_alive()

    def begin(self) -> None:
        """Let it serve."""
        self.thread.start()

    def look(self) -> None:
        """Nothing of it is ours."""

    def stop(self) -> None:
        """Have it accept no more."""

    def end(self) -> None:
        """It had its time."""

    def join(self, function: Callable[[], object]) -> None:
        """Call what may wait for threads of the server's, up to the deadline."""
        waiting = threading.Thread(target=function, daemon=True)
        waiting.start()
        for thread in (waiting, self.thread):
            while thread.is_alive() and time.monotonic() < self.worker.deadline():
                thread.join(MOMENT)
                self.worker.row.beat(time.monotonic())


class Blocking(InThread):
    """An object with ``def serve(sockets)``; it may have ``drain`` and ``close``."""

    def serve(self) -> None:
        self.server.serve([listener.sock for listener in self.worker.listeners])

    def stop(self) -> None:
        self._call("drain")

    def end(self) -> None:
        self._call("close")
        self.join(lambda: None)

    def _call(self, name: str) -> None:
        function = getattr(self.server, name, None)
        if function is not None and isawaitable(function()):
            raise AppError(f"{name}() is a coroutine, but serve() is none")


class SocketServer(InThread):
    """One of the standard library's, made with ``bind_and_activate=False``."""

    def __init__(self, worker: TCPWorker) -> None:
        super().__init__(worker)
        if len(worker.listeners) != 1:
            raise AppError(
                f"a socketserver has one socket, and bind names {len(worker.listeners)}"
            )
        listener = worker.listeners[0]
        self.server.socket.close()
        self.server.socket = listener.sock
        self.server.server_address = listener.address
        self.listener = listener
        self._shut = self.server.shutdown_request
        self._take = self.server.get_request
        self.server.get_request = self._counted
        self.server.shutdown_request = self._uncounted
        self._open = 0
        self._counting = threading.Lock()

    def _counted(self) -> tuple[Any, Any]:
        """From when it is taken, not from when its thread begins."""
        request, address = self._take()
        with self._counting:
            self.handled += 1
            self._open += 1
        if not self.listener.takes_datagrams:
            request = self.worker.secured(request, self.listener)
        return request, address

    def _uncounted(self, request: Any) -> None:
        try:
            self._shut(request)
        finally:
            with self._counting:
                self._open -= 1

    @property
    def accepting(self) -> bool:
        return self.thread.is_alive()

    @property
    def connections(self) -> int:
        return self._open

    def serve(self) -> None:
        self.server.serve_forever(poll_interval=MOMENT)
        self.server.timeout = 0
        while self.worker.final and not self.listener.inherited:
            if not readable(self.listener.fileno()):
                break
            self.server.handle_request()

    def stop(self) -> None:
        # Not at once where one connection is served at a time: then behind that.
        threading.Thread(target=self.server.shutdown, daemon=True).start()

    def end(self) -> None:
        self.join(self.server.server_close)


class Handled:
    """
    ``def handler(sock, address)``: a thread for each connection.

    At most ``worker_connections`` at a time; others are left to other workers.

    Attributes:
        handled: how many connections there were.
    """

    failure: BaseException | None = None

    def __init__(self, worker: TCPWorker) -> None:
        self.worker = worker
        self.handled = 0
        self._threads: set[threading.Thread] = set()
        self._accepting = True
        self._acceptor = threading.Thread(target=self._accept, daemon=True)

    @property
    def accepting(self) -> bool:
        """Not behind ``stop``."""
        return False

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._threads)

    @property
    def ended(self) -> bool:
        """Whether nobody accepts."""
        return not self._acceptor.is_alive()

    def begin(self) -> None:
        """Accept from now on."""
        self._acceptor.start()

    def look(self) -> None:
        """Each thread sees to itself."""

    def stop(self) -> None:
        """Accept no more; what the kernel has accepted is served if we are the last."""
        self._accepting = False
        self._acceptor.join()
        if self.worker.final:
            for listener in self.worker.listeners:
                while not listener.inherited and self._take(listener):
                    pass

    def end(self) -> None:
        """Threads end with the process."""

    def _accept(self) -> None:
        poll = select.poll()
        by_number = {one.fileno(): one for one in self.worker.listeners}
        for number in by_number:
            poll.register(number, select.POLLIN)
        most = self.worker.cfg.worker_connections
        while self._accepting:
            if len(self._threads) >= most:
                time.sleep(MOMENT)
                continue
            for number, _ in poll.poll(MOMENT * 1000):
                if number in by_number:
                    self._take(by_number[number])

    def _take(self, listener: Listener) -> bool:
        try:
            sock, address = listener.sock.accept()
        except OSError as error:
            if error.errno in EXHAUSTED:
                self.worker.log.warning("accept: %s, pausing", error.strerror)
                time.sleep(MOMENT * 10)
            return False
        sock.setblocking(True)
        self.handled += 1
        thread = threading.Thread(
            target=self._serve,
            args=(sock, address, listener),
            name=f"connection-{self.handled}",
        )
        thread.daemon = True
        self._threads.add(thread)
        thread.start()
        return True

    def _serve(self, sock: socket.socket, address: object, listener: Listener) -> None:
        try:
            sock = self.worker.secured(sock, listener)
            self.worker.made(sock, address)
        except OSError as error:  # it went away
            self.worker.log.debug("a connection failed: %s", error)
        except Exception as error:
            self.worker.log.error("a connection failed", exc_info=error)
        finally:
            with suppress(OSError):
                sock.close()
            self._threads.discard(threading.current_thread())
            self.worker.wakeup.wake()
