"""``gunicorn.workers.ggevent``: requests in greenlets, on our driver or on gevent's."""

from datetime import timedelta
from types import FrameType, SimpleNamespace
from typing import Any, ClassVar

import gevent
from gevent import pywsgi

from tiamat.compat.gunicorn.workers.base_async import AsyncWorker
from tiamat.compat.inner_gevent import InnerGevent, InnerServer
from tiamat.workers import gevent as ours


class GeventWorker(AsyncWorker):
    """
    A greenlet for each request.

    Attributes:
        server_class: a server of gevent's for WSGI, which serves in our place.
        wsgi_handler: what that handles connections with.
    """

    inner_class: ClassVar[Any] = InnerGevent
    server_class: ClassVar[Any] = None
    wsgi_handler: ClassVar[Any] = None

    def make_inner(self) -> Any:
        """The worker of ours; another one where there is a server of gevent's."""
        kind = self.inner_class if self.server_class is None else InnerServer
        return kind(self.host, self)

    def patch(self) -> None:
        """Patch this process: what blocks lets others run."""
        ours.GeventWorker.patch(self.host.log, str(self.host))

    def init_process(self) -> None:
        """Become a worker, and run."""
        self.patch()
        gevent.reinit()
        super().init_process()

    def timeout_ctx(self) -> Any:
        """What a request is waited for in."""
        return gevent.Timeout(self.cfg.keepalive or None, False)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """INT, QUIT: stop at once."""
        super().handle_quit(sig, frame)

    def server_options(self, listener: Any) -> dict[str, Any]:
        """What the server of gevent's is made with, beside listener and application."""
        return {
            "log": None,
            "handler_class": self.wsgi_handler or PyWSGIHandler,
            "environ": {
                "wsgi.multithread": True,
                "wsgi.multiprocess": self.cfg.workers > 1,
                "SERVER_SOFTWARE": "tiamat",
                "gunicorn.log": self.log,
            },
        }


class PyWSGIHandler(pywsgi.WSGIHandler):  # type: ignore[misc]
    """gevent's, with gunicorn's access log and its variables."""

    def log_request(self) -> None:
        """Write the access log."""
        start, finish = self.time_start, self.time_finish
        seconds = finish - start if finish and start else 0.0
        status = getattr(self, "status", None) or "0"
        response = SimpleNamespace(
            status=status if isinstance(status, str) else status.decode(),
            headers=getattr(self, "response_headers", None) or [],
            sent=self.response_length or 0,
        )
        headers = self.headers.items() if getattr(self, "headers", None) else []
        request = SimpleNamespace(headers=list(headers))
        environ = getattr(self, "environ", None) or {}
        environ["gunicorn.log"].access(
            response, request, environ, timedelta(seconds=seconds)
        )

    def get_environ(self) -> Any:
        """The variables."""
        environ = super().get_environ()
        environ["gunicorn.sock"] = self.socket
        environ["RAW_URI"] = self.path
        return environ


class PyWSGIServer(pywsgi.WSGIServer):  # type: ignore[misc]
    """gevent's."""


class GeventPyWSGIWorker(GeventWorker):
    """Served by gevent's own server for WSGI, for handlers that need it."""

    server_class = PyWSGIServer
    wsgi_handler = PyWSGIHandler
