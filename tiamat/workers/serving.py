"""From settings to what a driver needs: everything chosen here, once per worker."""

import importlib
import resource
import time
from typing import TYPE_CHECKING, Any, Final, cast

from tiamat.config import Config
from tiamat.drivers.service import Finished, Refused, Service, Timeouts
from tiamat.errors import ConfigError
from tiamat.gateways.wsgi import WSGIGateway
from tiamat.observe.access import compile_format
from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.forwarded import Trust
from tiamat.protocol.headers import Names
from tiamat.protocol.http1 import ParserFactory
from tiamat.protocol.limits import Limits
from tiamat.protocol.request import Request
from tiamat.protocol.response import Response
from tiamat.types import Address, Environ
from tiamat.workers.base import Worker

if TYPE_CHECKING:
    from tiamat.observe.access import Line

PARSERS: Final = {
    "auto": "tiamat.protocol.parser_httptools:Parser",
    "httptools": "tiamat.protocol.parser_httptools:Parser",
    "h11": "tiamat.protocol.parser_h11:Parser",
}

# What hooks see of a request. By name, as a user's own would be: nothing of
# ours imports gunicorn's vocabulary.
REQUEST_VIEW: Final = "tiamat.compat.request:RequestView"

# Descriptors that are left to the application, the logs and us.
_RESERVED: Final = 64

_FEWEST: Final = 16
"""Connections that there may be, however few descriptors there are."""

FOREVER: Final = 1e9
"""A timeout that was switched off, in seconds: thirty years."""


def make_service(worker: Worker) -> Service:
    """The service of *worker*, by its settings and its application."""
    cfg = worker.cfg
    common = CommonHeaders(b"tiamat")
    common.refresh(int(time.time()))
    trust = Trust(
        cfg.forwarded_allow_ips, cfg.secure_scheme_headers, cfg.forwarder_headers
    )
    gateway = WSGIGateway(
        worker.app,
        common,
        worker.log,
        script_name=cfg.root_path,
        multiprocess=cfg.workers > 1,
        sendfile=cfg.sendfile is not False,
        trust=trust,
        refuse_underscores=cfg.header_map == "refuse",
        stopping=lambda: not worker.alive,
    )
    return Service(
        gateway=gateway,
        log=worker.log,
        limits=make_limits(cfg),
        names=Names(cast(Any, cfg.header_map), trust.forwarders),
        parser=cast(
            ParserFactory, named(PARSERS.get(cfg.http_parser, cfg.http_parser))
        ),
        timeouts=Timeouts(
            header=cfg.header_timeout or FOREVER,
            body=cfg.body_timeout or FOREVER,
            write=cfg.write_timeout or FOREVER,
            keepalive=cfg.keepalive,
        ),
        finished=make_finished(worker),
        refused=make_refused(worker),
        spool_directory=cfg.tmp_upload_dir,
        response_spool_limit=cfg.response_spool_limit,
        limit_connections=cfg.limit_connections
        or max(_FEWEST, open_files() - _RESERVED),
    )


def make_limits(cfg: Config) -> Limits:
    """The limits of the protocol floor; 0 is no limit of its own there."""
    return Limits(
        request_line=cfg.limit_request_line or cfg.limit_request_head,
        request_fields=cfg.limit_request_fields,
        request_field_size=cfg.limit_request_field_size or cfg.limit_request_head,
        request_head=cfg.limit_request_head,
        request_body=cfg.limit_request_body,
    )


def make_finished(worker: Worker) -> Finished | None:
    """What follows the last byte of a response: the access log, ``post_request``."""
    access = make_access(worker) if worker.log.access_wanted else None
    hook = worker.cfg.post_request
    if hook is None:
        return access
    view = named(REQUEST_VIEW)

    def finished(
        request: Request,
        response: Response,
        environ: Environ,
        peer: tuple[str, str],
        seconds: float,
    ) -> None:
        if access is not None:
            access(request, response, environ, peer, seconds)
        shown = view(request, environ)
        worker.call_hook("post_request", worker, shown, environ, response)

    return finished


def make_access(worker: Worker) -> Finished:
    """The access log; its format is compiled once."""
    line = access_line(worker)
    write = worker.log.access

    def finished(
        request: Request,
        response: Response,
        environ: Environ,
        peer: tuple[str, str],
        seconds: float,
    ) -> None:
        began = time.time() - seconds
        write(line(request, response, environ, address(peer), began, seconds))

    return finished


def make_refused(worker: Worker) -> Refused | None:
    """The access log of what was no request."""
    if not worker.log.access_wanted:
        return None
    line = access_line(worker)
    write = worker.log.access

    def refused(response: Response, peer: tuple[str, str], seconds: float) -> None:
        write(line(None, response, None, address(peer), time.time(), seconds))

    return refused


def access_line(worker: Worker) -> "Line":
    """What writes lines of the access log."""
    try:
        return compile_format(worker.cfg.access_log_format)
    except ValueError as error:
        raise ConfigError(f"access_log_format: {error}") from None


def address(peer: tuple[str, str]) -> Address:
    """A peer as sockets have it; Unix sockets have none."""
    return (peer[0], int(peer[1])) if peer[0] else ""


def named(name: str) -> Any:
    """What ``module:attribute`` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def open_files() -> int:
    """How many descriptors this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft
