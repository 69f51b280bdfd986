"""From settings to what a driver needs: everything chosen here, once per worker."""

import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from tiamat.config import Config, named
from tiamat.config.code import imported
from tiamat.drivers.opening import Behind, Opener
from tiamat.drivers.service import Finished, Timeouts, WSGIService
from tiamat.gateways.wsgi import WSGIGateway, WSGIResponse
from tiamat.gateways.wsgi_environ import Environs
from tiamat.observe.access import compile_format
from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.forwarded import Style, Trust
from tiamat.protocol.headers import HeaderMap, Names
from tiamat.protocol.limits import Limits
from tiamat.protocol.networks import Networks
from tiamat.protocol.request import Request
from tiamat.protocol.response import Response
from tiamat.types import Environ
from tiamat.workers.base import Worker

# Descriptors that are left to the application, the logs and us.
_RESERVED: Final = 64

_FEWEST: Final = 16
"""Connections that there may be, however few descriptors there are."""

_GRACE: Final = 10.0
"""Seconds of a body before its rate counts: a short one needs no speed."""

FOREVER: Final = 1e9
"""A timeout that was switched off, in seconds: thirty years."""


def make_service(worker: Worker, *, multithread: bool = False) -> WSGIService:
    """The service of a worker of WSGI, by its settings and its application."""
    cfg = worker.cfg
    trust = make_trust(cfg, "none")  # as gunicorn
    gateway = WSGIGateway(
        worker.app,
        make_common(),
        worker.log,
        sendfile=cfg.sendfile,
        stopping=lambda: not worker.alive,
    )
    environs = Environs(
        script_name=cfg.root_path,
        multithread=multithread,
        multiprocess=cfg.workers > 1,
        trust=trust,
        refuse_underscores=cfg.header_map == "refuse",
    )
    parts = common_parts(worker, trust, environs.behind)
    return WSGIService(gateway=gateway, environs=environs, **parts)


def common_parts(worker: Worker, trust: Trust, behind: Behind) -> dict[str, Any]:
    """What the services of all workers have in common: the fields of ``Service``."""
    cfg = worker.cfg
    return {
        "log": worker.log,
        "limits": make_limits(cfg),
        "names": Names(cast(HeaderMap, cfg.header_map), trust.forwarders),
        "parser": named.parser(cfg),
        "timeouts": Timeouts(
            header=cfg.header_timeout or FOREVER,
            body=cfg.body_timeout or FOREVER,
            body_rate=float(cfg.min_body_rate or 1),
            body_grace=_GRACE if cfg.min_body_rate else FOREVER,
            write=cfg.write_timeout or FOREVER,
            keepalive=cfg.keepalive,
        ),
        "finished": make_finished(worker),
        "spool_directory": cfg.tmp_upload_dir,
        "response_spool_limit": cfg.response_spool_limit,
        "limit_connections": cfg.limit_connections
        or max(_FEWEST, open_files() - _RESERVED),
        "opener": make_opener(worker, behind),
    }


def make_opener(worker: Worker, behind: Behind) -> Opener | None:
    """What stands before the first byte of connections, if anything does."""
    cfg = worker.cfg
    if cfg.proxy_protocol == "off":
        return None
    from tiamat.protocol.preface import Preface
    from tiamat.protocol.proxy import BEGINNINGS

    return Opener(
        worker.log,
        cfg.header_timeout or FOREVER,
        partial(Preface, BEGINNINGS[cfg.proxy_protocol]),
        admits=Networks(cfg.proxy_allow_ips).has,
        behind=behind,
    )


def make_handle(worker: Worker, run: Callable[..., None]) -> Callable[..., None]:
    """Wrap the gateway's *run* in what the settings ask for, and in nothing else."""
    if worker.cfg.pre_request is None:
        return run
    view = request_view()

    def handle(response: WSGIResponse, connection: Any, environ: Environ) -> None:
        shown = view(response.request, environ)
        worker.call_hook("pre_request", worker, shown)
        run(response, connection, environ)

    return handle


def make_common() -> CommonHeaders:
    """The headers of every response, fresh."""
    common = CommonHeaders(b"tiamat")
    common.refresh(int(time.time()))
    return common


def make_trust(cfg: Config, style: Style) -> Trust:
    """The proxies that are believed, by default in this *style*."""
    return Trust(
        cfg.forwarded_allow_ips,
        cfg.secure_scheme_headers,
        cfg.forwarder_headers,
        style
        if cfg.forwarded_headers == "auto"
        else cast(Style, cfg.forwarded_headers),
    )


def make_limits(cfg: Config) -> Limits:
    """The limits of the protocol floor."""
    return Limits(
        request_line=cfg.limit_request_line,
        request_fields=cfg.limit_request_fields,
        request_field_size=cfg.limit_request_field_size,
        request_head=cfg.limit_request_head,
        request_body=cfg.limit_request_body,
    )


def make_finished(worker: Worker) -> Finished | None:
    """What follows the last byte of a response: the access log, ``post_request``."""
    access = make_access(worker)
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


def make_access(worker: Worker) -> Finished | None:
    """The access log, if anybody wants one; its format is compiled once."""
    if not worker.log.access_wanted:
        return None
    line = compile_format(worker.cfg.access_log_format)
    write = worker.log.access

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


def request_view() -> Any:
    """
    What hooks see of a request.

    By name, as a user's own would be: nothing of ours knows gunicorn's words.
    """
    return imported("tiamat.compat.request:RequestView")


def open_files() -> int:
    """How many descriptors this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft
