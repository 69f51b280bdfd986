"""``gunicorn.workers.gthread``: requests in threads, on our driver."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

from tiamat.compat.gunicorn.workers.sync import Served
from tiamat.compat.held import Client
from tiamat.compat.inner import InnerThreads


class TConn:
    """
    A connection, for the time of one request.

    Args:
        cfg: the settings.
        sock: what to write to.
        client: the address of the peer.
        server: the address of the listener.
    """

    def __init__(self, cfg: Any, sock: Any, client: Any, server: Any) -> None:
        self.cfg = cfg
        self.sock = sock
        self.client = client
        self.server = server
        self.timeout: float | None = None
        self.parser = None
        self.initialized = True

    def close(self, graceful: bool = False) -> None:
        """The connection ends behind the request."""
        self.sock.close()


class ThreadWorker(Served):
    """As many requests at a time as there are threads."""

    inner_class: ClassVar[Any] = InnerThreads

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.worker_connections = self.cfg.worker_connections
        self.tpool: Any = None
        self.poller: Any = None
        self.keepalived_conns: deque[Any] = deque()

    @property
    def nr_conns(self) -> int:
        """How many connections are open."""
        loop = self.inner and self.inner.loop
        return loop.connections if loop else 0

    def init_process(self) -> None:
        """Become a worker, and run."""
        self.tpool = self.get_thread_pool()
        super().init_process()

    def is_parent_alive(self) -> bool:
        """Whether the master is there."""
        return not self.inner.orphaned

    def get_thread_pool(self) -> Any:
        """Make a pool; if this is overridden, requests run in what it returns."""
        return ThreadPoolExecutor(max_workers=self.cfg.threads)

    def follow(self) -> None:
        """Make the loop; an ``accept`` that is overridden is what accepts."""
        super().follow()
        self.inner.follow_accept(self.accept)

    def end(self) -> None:
        """The pool has nothing to do any more."""
        super().end()
        self.tpool.shutdown(wait=False)

    def accept(self, listener: Any) -> None:
        """
        Take one connection.

        Raises:
            BlockingIOError: there is none.
        """
        self.inner.accept_from(listener)

    def begin(self, client: Client) -> None:
        """A request is here, in a thread of ours: call what handles it."""
        listener = self.inner.listener_of(client)
        server = listener.getsockname()
        conn = TConn(self.cfg, client, client.request.remote_addr, server)
        if type(self).get_thread_pool is OWN_POOL:
            self.enqueue_req(conn)
        else:
            self.tpool.submit(self.enqueue_req, conn).result()

    def enqueue_req(self, conn: Any) -> None:
        """Give a request to a thread; here, the one that it is in."""
        self.handle(conn)

    def handle(self, conn: Any) -> tuple[bool, Any]:
        """
        Handle a request, whatever becomes of it.

        Returns:
            Whether its connection may go on, and the connection.
        """
        client: Client = conn.sock
        try:
            self.handle_request(client.request, conn)
        except Exception as error:
            self.failed(client, error)
        return client.response.keep_alive, conn

    def handle_request(self, req: Any, conn: Any) -> bool:
        """
        Run the application on a request, and write its answer.

        Returns:
            Whether its connection may go on.
        """
        self.nr += 1
        req.answer()
        return bool(conn.sock.response.keep_alive)


OWN_POOL = ThreadWorker.get_thread_pool
