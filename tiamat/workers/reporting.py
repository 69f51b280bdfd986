"""What is done around each request, for who wants to hear of it and for nobody else."""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tiamat.config.code import imported
from tiamat.drivers.service import Finished
from tiamat.gateways.wsgi import WSGIResponse
from tiamat.observe import access_json
from tiamat.observe.access import compile_format
from tiamat.protocol.request import Request
from tiamat.protocol.response import Response
from tiamat.system import backlog
from tiamat.types import Environ, Scope
from tiamat.workers.base import Worker

if TYPE_CHECKING:
    from tiamat.observe.access import Line

TAKEN_AT: Final = "tiamat.taken_at"
"""Key of the scope: when the application was called, on the monotonic clock."""


def make_finished(worker: Worker) -> Finished | None:
    """What follows the last byte of a response: the access log, ``post_request``."""
    access = counted(worker, make_access(worker))
    hook = worker.cfg.post_request
    if hook is None:
        return access
    after: Any = imported("tiamat.compat.request:after")

    def finished(
        request: Request | None,
        response: Response,
        environ: Environ | None,
        peer: tuple[str, str],
        seconds: float,
    ) -> None:
        if access is not None:
            access(request, response, environ, peer, seconds)
        if request is not None and environ is not None:
            seen = after(request, environ, response)
            worker.call_hook("post_request", worker, *seen)

    return finished


def counted(worker: Worker, access: Finished | None) -> Finished | None:
    """Tell statsd of requests, too, if the log has that."""
    statsd = getattr(worker.log, "statsd", None)
    if statsd is None:
        return access

    def finished(
        request: Request | None,
        response: Response,
        environ: Environ | None,
        peer: tuple[str, str],
        seconds: float,
    ) -> None:
        if request is not None:
            statsd.request(response.status, seconds)
        if access is not None:
            access(request, response, environ, peer, seconds)

    return finished


def make_access(worker: Worker) -> Finished | None:
    """The access log, if anybody wants one; its format is compiled once."""
    log = worker.log
    if not log.access_wanted:
        return None
    format = worker.cfg.access_log_format
    if getattr(log, "takes_views", False):  # else a user's own, with our methods
        return make_views(log.access)
    if getattr(log, "access_direct", True):
        return make_lines(make_line(worker), log.access)
    if format == access_json.FORMAT or log.access_ours:
        return make_lines(make_line(worker), partial(log.access_log.info, "%s"))
    writer: Any = imported("tiamat.compat.logger:writer")
    return make_views(writer(log, format))


def make_views(write: Callable[..., None]) -> Finished:
    """Call *write* as gunicorn calls ``access`` of its loggers."""
    from datetime import timedelta  # the master needs none of it

    views: Any = imported("tiamat.compat.logger:views")

    def access(
        request: Request | None,
        response: Response,
        environ: Environ | None,
        peer: tuple[str, str],
        seconds: float,
    ) -> None:
        shown, variables, answer = views(request, response, environ, peer)
        write(answer, shown, variables, timedelta(seconds=seconds))

    return access


def make_lines(line: "Line", write: Callable[[str], None]) -> Finished:
    """Have *line* make the lines, and *write* write them."""

    def access(
        request: Request | None,
        response: Response,
        environ: Environ | None,
        peer: tuple[str, str],
        seconds: float,
    ) -> None:
        began = time.time() - seconds
        write(line(request, response, environ, peer, began, seconds))

    return access


def make_line(worker: Worker) -> "Line":
    """What writes an access line; it is compiled once."""
    format = worker.cfg.access_log_format
    if format != access_json.FORMAT:
        return compile_format(format)
    line = access_json.compile_json(worker.slot, worker.generation)
    return with_times(line) if "asgi" in worker.interfaces else line


def request_view() -> Any:
    """
    What hooks see of a request.

    By name, as a user's own would be: nothing of ours knows gunicorn's words.
    """
    return imported("tiamat.compat.request:RequestView")


def make_handle(worker: Worker, run: Callable[..., None]) -> Callable[..., None]:
    """Wrap the gateway's *run* in what the settings ask for, and in nothing else."""
    if wants_times(worker):
        run = timed(run)
    if worker.cfg.pre_request is None:
        return run
    view = request_view()

    def handle(response: WSGIResponse, connection: Any, environ: Environ) -> None:
        shown = view(response.request, environ)
        worker.call_hook("pre_request", worker, shown)
        run(response, connection, environ)

    return handle


def wants_times(worker: Worker) -> bool:
    """Whether the access log tells how long requests waited for the application."""
    cfg = worker.cfg
    return worker.log.access_wanted and cfg.access_log_format == access_json.FORMAT


def timed(run: Callable[..., None]) -> Callable[..., None]:
    """Note in the environ how long the request had waited, and how long *run* takes."""

    def handle(response: WSGIResponse, connection: Any, environ: Environ) -> None:
        environ[access_json.QUEUE_TIME] = backlog.waited(connection.sock)
        began = time.monotonic()
        run(response, connection, environ)
        environ[access_json.APPLICATION_TIME] = time.monotonic() - began

    return handle


def make_pre_request(worker: Worker) -> Callable[[Request, Scope], object] | None:
    """What comes before each call of an ASGI application, if anything does."""
    wants, hook = wants_times(worker), worker.cfg.pre_request
    if not wants and hook is None:
        return None
    view = request_view()

    def pre_request(request: Request, scope: Scope) -> None:
        if wants:
            scope[TAKEN_AT] = time.monotonic()
        if hook is not None:
            worker.call_hook("pre_request", worker, view(request, scope))

    return pre_request


def with_times(line: "Line") -> "Line":
    """Have *line* told what ``timed`` notes, of a scope instead of an environ."""

    def timed_line(
        request: Request | None,
        response: Response,
        scope: Environ | None,
        peer: tuple[str, str],
        began: float,
        seconds: float,
    ) -> str:
        if scope is not None and (taken_at := scope.get(TAKEN_AT)) is not None:
            taken = time.monotonic() - taken_at
            scope[access_json.APPLICATION_TIME] = taken
            scope[access_json.QUEUE_TIME] = max(0.0, seconds - taken)
        return line(request, response, scope, peer, began, seconds)

    return timed_line
