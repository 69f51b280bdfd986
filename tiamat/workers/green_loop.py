"""A loop that lives in gevent's hub."""

from collections.abc import Callable, Sequence
from socket import socket
from typing import Any, Final

from greenlet import getcurrent

from tiamat.drivers.accepting import Row
from tiamat.drivers.connection import EventedConnection
from tiamat.drivers.evented import Handle
from tiamat.drivers.host import Host
from tiamat.drivers.service import WSGIService
from tiamat.system.poller import IN, OUT, Poller, PollPoller
from tiamat.system.unpatched import unpatched

READ: Final = 1
WRITE: Final = 2


class GreenLoop(Host):
    """
    The hub watches its poller, one descriptor for all connections.

    Args:
        hub: gevent's, of this thread.
        spawn: Makes a greenlet of gevent's for a function.
    """

    def __init__(
        self,
        listeners: Sequence[socket],
        service: WSGIService,
        row: Row,
        handle: Handle,
        *,
        hub: Any,
        spawn: Callable[[Callable[[], None]], Any],
    ) -> None:
        self._hub = hub
        self._spawn = spawn
        self._scheduled = False
        super().__init__(listeners, service, row, handle)
        self._watcher: Any = None
        fileno = getattr(self._poller, "fileno", None)
        if fileno is not None:
            self._watcher = hub.loop.io(fileno(), READ)
            self._watcher.start(self.turn)

    def make_poller(self) -> Poller:
        """One that the hub can watch."""
        poller = super().make_poller()
        return (
            HubPoller(self._hub, self.soon)
            if isinstance(poller, PollPoller)
            else poller
        )

    def forget(self, connection: EventedConnection) -> None:
        """A connection closes; epoll would know by itself."""
        if self._watcher is None:
            self._poller.unregister(connection.fileno)
        super().forget(connection)

    def current(self) -> Any:
        return getcurrent()

    def rest(self) -> None:
        self._hub.switch()

    def make_server(self) -> Any:
        return self._spawn(self.live)

    def soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._hub.loop.run_callback(self.turn)

    def turn(self, timeout: float = 0.0) -> None:
        """
        Do what there is to do, in the hub.

        Hot: once per turn.
        """
        self._scheduled = False
        super().turn(timeout)

    def stop(self) -> None:
        """Hear of nothing any more."""
        if self._watcher is not None:
            self._watcher.stop()

    def close(self) -> None:
        self.stop()
        super().close()


class HubPoller:
    """
    A watcher of the hub's for each descriptor, with the face of epoll.

    Where there is no epoll, whose one descriptor the hub could watch for all.

    Args:
        hub: gevent's.
        call: Has ``poll`` called soon.
    """

    def __init__(self, hub: Any, call: Callable[[], object]) -> None:
        self._hub = hub
        self._call = call
        self._thread: int = unpatched("_thread", "get_ident")()
        self._watchers: dict[int, Any] = {}
        self._events: list[tuple[int, int]] = []

    def register(self, fd: int, mask: int, /) -> None:
        """Wait for this from now on."""
        events = (READ if mask & IN else 0) | (WRITE if mask & OUT else 0)
        if events:
            watcher = self._watchers[fd] = self._hub.loop.io(fd, events)
            watcher.start(self._put, fd, mask & (IN | OUT))

    def modify(self, fd: int, mask: int, /) -> None:
        """Wait for this instead."""
        self.unregister(fd)
        self.register(fd, mask)

    def unregister(self, fd: int, /) -> None:
        """Wait for it no more. From any thread, in the end."""
        if unpatched("_thread", "get_ident")() != self._thread:
            self._hub.loop.run_callback_threadsafe(self.unregister, fd)
            return
        watcher = self._watchers.pop(fd, None)
        if watcher is not None:
            watcher.stop()
            watcher.close()

    def _put(self, fd: int, mask: int) -> None:
        self._events.append((fd, mask))
        self._call()

    def poll(self, timeout: float, limit: int, /) -> list[tuple[int, int]]:
        """What has become ready since the last call; never waits."""
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Wait for nothing any more."""
        for fd in list(self._watchers):
            self.unregister(fd)
