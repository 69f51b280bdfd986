"""``gunicorn.workers.base_async``: what its workers of greenlets have in common."""

import contextlib
from typing import Any, Final

from tiamat.compat.gunicorn.workers.sync import Served
from tiamat.compat.held import Client

ALREADY_HANDLED: Final = object()
"""An application returns it that has taken the connection."""


class AsyncWorker(Served):
    """A greenlet for each request, as long as its application takes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.worker_connections = self.cfg.worker_connections

    def timeout_ctx(self) -> Any:
        """What a request is waited for in; our driver has limits of its own."""
        return contextlib.nullcontext()

    def is_already_handled(self, respiter: Any) -> bool:
        """Whether the application has answered by itself."""
        return respiter is ALREADY_HANDLED

    def respond(self, environ: Any, start_response: Any) -> Any:
        """The application; one that has answered by itself ends the connection."""
        result = self.wsgi(environ, start_response)
        if self.is_already_handled(result):
            raise StopIteration
        return result

    def begin(self, client: Client) -> None:
        """A request is here: call what handles it."""
        listener = self.inner.listener_of(client)
        self.handle(listener, client, client.request.remote_addr)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """
        Handle a request, whatever becomes of it.

        Args:
            listener: where it came.
            client: its connection.
            addr: of the peer.
        """
        try:
            with self.timeout_ctx():
                req = client.request
            self.handle_request(listener.getsockname(), req, client, addr)
        except Exception as error:
            self.failed(client, error)

    def handle_request(
        self, listener_name: Any, req: Any, sock: Any, addr: Any
    ) -> bool:
        """
        Run the application on a request, and write its answer.

        Returns:
            True; a connection that ends raises ``StopIteration``.
        """
        self.nr += 1
        req.answer()
        return True
