"""``gunicorn.workers.sync``: one request at a time, on our driver."""

from types import FrameType
from typing import Any, ClassVar

from tiamat.compat.gunicorn.workers import base
from tiamat.compat.held import Client
from tiamat.compat.inner import InnerSync


class StopWaiting(Exception):
    """Raised to say that there is nothing to wait for any more."""


class Served(base.Worker):
    """
    A worker of gunicorn's name whose requests a worker of ours reads and answers.

    Attributes:
        inner_class: what that is.
        inner: it, from ``init_process`` on.
    """

    inner_class: ClassVar[Any] = InnerSync
    inner: Any = None

    def init_process(self) -> None:
        """Become a worker, and run."""
        self.inner = self.make_inner()
        self.inner.secure()
        super().init_process()

    def make_inner(self) -> Any:
        """The worker of ours."""
        return self.inner_class(self.host, self)

    def run(self) -> None:
        """Serve until told to stop, then drain."""
        inner = self.inner
        self.host.forget_use()  # we say when
        inner.take_application()
        inner.ready()
        self.follow()
        if inner.orphaned or not inner.alive:
            return
        inner.begin_to_accept()
        self.serve()
        self.alive = False  # the master's word may come before its signal
        inner.finish()
        self.end()

    def follow(self) -> None:
        """Make the loop, and have it call what is overridden."""
        self.inner.open()

    def serve(self) -> None:
        """Serve until told to stop."""
        while self.inner.alive:
            self.inner.turn(self.inner.heartbeat)

    def end(self) -> None:
        """Let the application have its last messages."""
        inner = self.inner
        left = inner.deadline() - inner.loop.clock()
        inner.mailbox.finish(min(left, inner.cfg.graceful_timeout))

    # --- One request --------------------------------------------------------------

    def respond(self, environ: Any, start_response: Any) -> Any:
        """The application."""
        return self.wsgi(environ, start_response)

    def begin(self, client: Client) -> None:
        """A request is here: call what handles it."""
        raise NotImplementedError

    def failed(self, client: Client, error: Exception) -> None:
        """
        What a request has raised becomes an answer, or the end of the connection.

        Args:
            client: of the request.
            error: what was raised.
        """
        client.response.keep_alive = False
        if isinstance(error, StopIteration):
            self.log.debug("Closing connection.")
        else:
            self.handle_error(client.request, client, client.request.remote_addr, error)


class SyncWorker(Served):
    """One request at a time; slow clients wait elsewhere."""

    def follow(self) -> None:
        """Make the loop; an ``accept`` that is overridden is what accepts."""
        super().follow()
        self.inner.follow_accept(self.accept)

    def serve(self) -> None:
        """Serve, in gunicorn's words."""
        timeout = self.timeout or 0.5
        try:
            if len(self.sockets) > 1:
                self.run_for_multiple(timeout)
            else:
                self.run_for_one(timeout)
        except StopWaiting:
            pass

    def run_for_one(self, timeout: float) -> None:
        """Serve on one listener, waiting at most so many seconds at a time."""
        self._turn(timeout)

    def run_for_multiple(self, timeout: float) -> None:
        """Serve on several."""
        self._turn(timeout)

    def _turn(self, timeout: float) -> None:
        while self.inner.alive:
            self.notify()
            if not self.is_parent_alive():
                return
            self.wait(timeout)

    def is_parent_alive(self) -> bool:
        """Whether the master is there."""
        if self.inner.orphaned:
            self.log.info("Parent changed, shutting down: %s", self)
            return False
        return True

    def wait(self, timeout: float) -> list[Any] | None:
        """Wait for something, at most so many seconds, and do it."""
        self.inner.turn(min(timeout, self.inner.heartbeat))
        return self.sockets if self.inner.alive else None

    def accept(self, listener: Any) -> None:
        """
        Take one connection.

        Raises:
            BlockingIOError: there is none.
        """
        self.inner.accept_from(listener)

    def begin(self, client: Client) -> None:
        """A request is here: call what handles it."""
        listener = self.inner.listener_of(client)
        self.handle(listener, client, client.request.remote_addr)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """
        Handle a request, whatever becomes of it.

        Args:
            listener: where it came.
            client: its connection; one that somebody has accepted is served later.
            addr: of the peer.
        """
        if not isinstance(client, Client):
            self.inner.adopt(client, addr)
            return
        try:
            self.handle_request(listener, client.request, client, addr)
        except Exception as error:
            self.failed(client, error)

    def handle_request(self, listener: Any, req: Any, client: Any, addr: Any) -> None:
        """Run the application on a request, and write its answer."""
        self.nr += 1
        req.answer()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """INT, QUIT: stop at once."""
        super().handle_quit(sig, frame)
