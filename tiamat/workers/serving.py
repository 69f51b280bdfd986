"""From settings to what a driver needs: everything chosen here, once per worker."""

import resource
import sys
import time
from typing import TYPE_CHECKING, Any, Final, cast

from tiamat.config import Config, named
from tiamat.config.code import imported
from tiamat.drivers.evented import Handle
from tiamat.drivers.opening import Behind, Opener
from tiamat.drivers.overload import busy_wsgi, in_time
from tiamat.drivers.service import ASGIService, Timeouts, WSGIService
from tiamat.gateways.wsgi import WSGIGateway
from tiamat.gateways.wsgi_environ import Environs
from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.forwarded import Style, Trust
from tiamat.protocol.headers import HeaderMap, Names
from tiamat.protocol.http1 import Connection
from tiamat.protocol.limits import Limits
from tiamat.protocol.networks import Networks
from tiamat.workers.base import Worker
from tiamat.workers.reporting import make_finished

if TYPE_CHECKING:
    from tiamat.gateways.asgi_scope import Scopes

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
        make_common(cfg),
        worker.log,
        sendfile=cfg.sendfile,
        stopping=lambda: not worker.alive,
    )
    environs = environs_class(cfg)(
        software=software(),
        script_name=cfg.root_path,
        multithread=multithread,
        multiprocess=cfg.workers > 1,
        trust=trust,
        refuse_underscores=cfg.header_map == "refuse",
    )
    parts = common_parts(worker, trust, environs.behind)
    service = WSGIService(gateway=gateway, environs=environs, **parts)
    take_plain(service, cfg)
    return service


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
        "security": worker.security,
        "limit_connections": cfg.limit_connections
        or max(_FEWEST, open_files() - _RESERVED),
        "limit_connections_per_ip": cfg.limit_connections_per_ip,
        "max_queue_time": cfg.max_queue_time or FOREVER,
        "opener": make_opener(worker, behind),
        "protocol": make_protocol(cfg),
    }


def make_opener(worker: Worker, behind: Behind) -> Opener | None:
    """What stands before the first byte of connections, if anything does."""
    cfg = worker.cfg
    admits = []
    if cfg.proxy_protocol != "off":
        admits.append(("proxy_allow_ips", Networks(cfg.proxy_allow_ips).has))
    if cfg.protocol == "uwsgi":
        admits.append(("uwsgi_allow_ips", Networks(cfg.uwsgi_allow_ips).has))
    if not (admits or cfg.is_ssl):
        return None
    from tiamat.protocol.preface import Preface
    from tiamat.protocol.proxy import BEGINNINGS

    return Opener(
        worker.log,
        cfg.header_timeout or FOREVER,
        lambda secure: Preface(BEGINNINGS.get(cfg.proxy_protocol), looks=secure),
        admits=admits,
        behind=behind,
    )


def take_plain(service: WSGIService | ASGIService, cfg: Config) -> None:
    """See to those who speak plain HTTP where there is TLS."""
    if service.opener is not None and cfg.is_ssl:
        from tiamat.drivers.plain import PlainHTTP

        plain = PlainHTTP(service, redirect=cfg.redirect_http)
        service.opener.plain = plain.begin


def make_protocol(cfg: Config) -> type[Connection]:
    """What makes requests of the bytes of a connection."""
    if cfg.protocol == "http":
        return Connection
    from tiamat.protocol.uwsgi import UwsgiConnection

    return UwsgiConnection


def environs_class(cfg: Config) -> type[Environs]:
    """What makes environs of requests."""
    if cfg.protocol == "http":
        return Environs
    from tiamat.gateways.uwsgi import UwsgiEnvirons

    return UwsgiEnvirons


def scopes_class(cfg: Config) -> "type[Scopes]":
    """What makes scopes of requests."""
    if cfg.protocol == "http":
        from tiamat.gateways.asgi_scope import Scopes

        return Scopes
    from tiamat.gateways.uwsgi import UwsgiScopes

    return UwsgiScopes


def bounded_queue(worker: Worker, run: Handle, service: WSGIService) -> Handle:
    """Wrap *run* in the answer to who has waited too long, if there is to be one."""
    limit = worker.cfg.max_queue_time
    if not limit:
        return run
    turn_away = WSGIGateway(busy_wsgi(limit), service.gateway.common, worker.log)
    return in_time(run, turn_away.run, limit)


SHIM: Final = "tiamat.compat.gunicorn"
"""Where code that knows gunicorn may have given the server another name."""


def software() -> str:
    """SERVER_SOFTWARE of environs."""
    if SHIM not in sys.modules:
        return "tiamat"
    changed: Any = imported("tiamat.compat.server_name:in_environs")
    return str(changed("tiamat"))


def make_common(cfg: Config) -> CommonHeaders:
    """The headers of every response, fresh."""
    name = b"tiamat" if cfg.server_header else b""
    if name and SHIM in sys.modules:
        changed: Any = imported("tiamat.compat.server_name:in_headers")
        name = changed(name)
    common = CommonHeaders(name, dated=cfg.date_header)
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


def open_files() -> int:
    """How many descriptors this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft
