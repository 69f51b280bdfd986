"""
gunicorn's ``Logger``, for classes that derive from it: its contract on our logs.

Reached by name: by the setting ``logger_class``, or where somebody reads access
records as gunicorn makes them. Lines go into our own files, so nobody waits for them.
"""

import logging
import os
import threading
import time
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tiamat.compat.request import RequestView, ResponseView, after
from tiamat.config import named
from tiamat.observe.access import escaped
from tiamat.observe.handlers import SinkHandler
from tiamat.observe.log import Log
from tiamat.observe.logconfig import DEFAULTS as CONFIG_DEFAULTS
from tiamat.observe.sink import Sink
from tiamat.protocol.request import Request
from tiamat.protocol.response import Response
from tiamat.types import Environ

if TYPE_CHECKING:
    from tiamat.config import Config

__all__ = ["CONFIG_DEFAULTS", "Logger", "SafeAtoms"]

LOG_LEVELS: Final = {
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}

Headers = Iterable[tuple[str, str]] | Mapping[str, str]


class SafeAtoms(dict[str, Any]):
    """Atoms by name: what is missing is ``-``, and no text ends a field or a line."""

    def __init__(self, atoms: Mapping[str, Any]) -> None:
        super().__init__(
            {
                name: escaped(value) if isinstance(value, str) else value
                for name, value in atoms.items()
            }
        )

    def __getitem__(self, name: str) -> Any:
        found = self.get(name.lower() if name.startswith("{") else name)
        return "-" if found is None else found


class Logger(Log):
    """
    What gunicorn's ``Logger`` is, under its names.

    Its loggers are ``gunicorn.error`` and ``gunicorn.access``. Each access record has
    ``access_log_format`` for its message, and all the atoms for its arguments.

    Attributes:
        cfg: the settings.
        loglevel: the least important level that the error log gets.
        error_handlers, access_handlers, logfile, lock: there, as in gunicorn, and
            empty; nothing of ours looks at them.
    """

    names = ("gunicorn.error", "gunicorn.access")
    takes_views = True
    LOG_LEVELS: ClassVar[dict[str, int]] = LOG_LEVELS
    loglevel: int = logging.INFO
    atoms_wrapper_class: ClassVar[Callable[[Mapping[str, Any]], Any]] = SafeAtoms

    def __init__(self, cfg: "Config") -> None:
        self.cfg = cfg
        self.lock = threading.Lock()
        self.logfile = None
        self.error_handlers: list[logging.Handler] = []
        self.access_handlers: list[logging.Handler] = []
        self.prepare()
        for logger in self.loggers:
            logger.propagate = False
        with self.all_or_nothing():
            self.setup(cfg)

    def setup(self, cfg: "Config") -> None:
        """Open what the settings ask for; a subclass may do more, or something else."""
        self.loglevel = LOG_LEVELS.get(cfg.loglevel.lower(), logging.INFO)
        self.open(cfg.errorlog, cfg.accesslog, cfg.loglevel)
        if (syslog := named.syslog(cfg)) is not None:
            self.add_syslog(syslog)
        if source := named.logging_configuration(cfg):
            self.configure(source)
        self.capture_output = cfg.capture_output
        self.capture()

    # --- Speaking -----------------------------------------------------------

    def log(self, level: int | str, msg: object, *args: object, **options: Any) -> None:
        """Say something at a level: logging's number, or its name."""
        if isinstance(level, str):
            level = LOG_LEVELS.get(level.lower(), logging.INFO)
        super().log(level, msg, *args, **options)

    # gunicorn's arguments instead of ours: ``takes_views`` tells the workers.
    def access(  # type: ignore[override]
        self, resp: Any, req: Any, environ: Environ, request_time: timedelta
    ) -> None:
        """Write a record of a request that was answered."""
        if self.access_log_enabled:
            atoms = self.atoms(resp, req, environ, request_time)
            wrapped = type(self).atoms_wrapper_class(atoms)
            self.access_log.info(self.cfg.access_log_format, wrapped)

    def atoms(
        self, resp: Any, req: Any, environ: Environ, request_time: timedelta
    ) -> dict[str, Any]:
        """What an access record may tell, by the names that formats have for it."""
        return {**atoms(resp, req, environ, request_time), "t": self.now()}

    def now(self) -> str:
        """The time as access lines have it."""
        return time.strftime("[%d/%b/%Y:%H:%M:%S %z]")

    @property
    def access_log_enabled(self) -> bool:
        """Whether the settings ask for access records."""
        return self.access_sink is not None or self.access_log.hasHandlers()

    @property
    def access_wanted(self) -> bool:
        """The same, but a subclass with an ``access`` of its own always gets them."""
        return type(self).access is not Logger.access or self.access_log_enabled

    # --- Files --------------------------------------------------------------

    def reopen(self) -> None:
        """Open the files again: what a subclass has made of that."""
        self.reopen_files()

    def reopen_files(self) -> None:
        """Open the files under their names again: they were rotated."""
        super().reopen()

    def close_on_exec(self) -> None:
        """Nothing: our files are closed on exec from the first."""

    def _set_handler(
        self,
        log: logging.Logger,
        output: str | None,
        fmt: logging.Formatter,
        stream: Any = None,
    ) -> None:
        """Have *log* write into the file *output*, in this form; None for nowhere."""
        for handler in list(log.handlers):
            if isinstance(handler, SinkHandler):
                log.removeHandler(handler)
        if output is None:
            return
        sink = next((one for one in self.sinks if one.path == output), None)
        if sink is None:
            sink = Sink(output, 1 if log is self.access_log else 2)
            self.sinks.append(sink)
        if log is self.access_log:
            self.access_sink = sink
        log.addHandler(SinkHandler(sink, fmt))

    def _get_gunicorn_handler(self, log: logging.Logger) -> logging.Handler | None:
        """What writes into the file that the settings name."""
        return next((one for one in log.handlers if isinstance(one, SinkHandler)), None)

    def _set_syslog_handler(
        self, log: logging.Logger, cfg: "Config", fmt: str, name: str
    ) -> None:
        """Have *log* speak to the syslog daemon of the settings, if there is one."""
        if (wanted := named.syslog(cfg)) is not None:
            from tiamat.observe.syslog import SyslogHandler

            handler = SyslogHandler(wanted, name, fmt)
            log.addHandler(handler)
            self.remote.append(handler)

    def _get_user(self, environ: Environ) -> str | None:
        return user_of(environ)


def atoms(
    resp: Any, req: Any, environ: Environ, request_time: timedelta
) -> dict[str, Any]:
    """gunicorn's atoms but for the time, which a logger tells."""
    status = resp.status
    if isinstance(status, str):
        status = status.split(None, 1)[0]
    seconds = request_time.total_seconds()
    microseconds = request_time // timedelta(microseconds=1)
    sent = getattr(resp, "sent", None)
    found = {
        "h": environ.get("REMOTE_ADDR") or "-",
        "l": "-",
        "u": user_of(environ) or "-",
        "r": "{REQUEST_METHOD} {RAW_URI} {SERVER_PROTOCOL}".format_map(environ),
        "s": status,
        "m": environ.get("REQUEST_METHOD"),
        "U": environ.get("PATH_INFO"),
        "q": environ.get("QUERY_STRING"),
        "H": environ.get("SERVER_PROTOCOL"),
        "b": str(sent) if sent else "-",
        "B": sent,
        "f": environ.get("HTTP_REFERER", "-"),
        "a": environ.get("HTTP_USER_AGENT", "-"),
        "T": int(seconds),
        "M": microseconds // 1000,
        "D": microseconds,
        "L": f"{seconds:.6f}",
        "p": f"<{os.getpid()}>",
    }
    found |= {f"{{{name.lower()}}}i": v for name, v in pairs(req)}
    found |= {f"{{{name.lower()}}}o": v for name, v in pairs(resp)}
    return found | {f"{{{name.lower()}}}e": v for name, v in environ.items()}


def pairs(message: Any) -> Iterable[tuple[str, str]]:
    """The headers of a request or a response, which may also be a mapping."""
    headers: Headers = getattr(message, "headers", message)
    return headers.items() if isinstance(headers, Mapping) else headers


def user_of(environ: Environ) -> str | None:
    """The user of HTTP's basic authentication (RFC 7617), if there is one."""
    scheme, _, encoded = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name = a2b_base64(encoded.strip()).partition(b":")[0]
    except ValueError:
        return None
    return name.decode("utf-8", "replace")


# --- For our workers ----------------------------------------------------------


def views(
    request: Request | None,
    response: Response,
    about: Environ | None,
    peer: tuple[str, str],
) -> tuple[RequestView, Environ, ResponseView]:
    """
    What gunicorn's ``access`` gets, of a request that may be none.

    Args:
        request, response: what came and what was sent.
        about: environ or scope, where the application got one.
        peer: host and port at the other end.
    """
    if about is None:
        host, port = peer
        client = (host, int(port or 0)) if host else None
        about = {"asgi": {}, "scheme": "http", "client": client}
    return after(request or response.request, about, response)


def writer(log: Log, format: str) -> Callable[[Any, Any, Environ, timedelta], None]:
    """An ``access`` that makes gunicorn's records on loggers of ours."""

    def access(resp: Any, req: Any, environ: Environ, request_time: timedelta) -> None:
        found = atoms(resp, req, environ, request_time)
        found["t"] = time.strftime("[%d/%b/%Y:%H:%M:%S %z]")
        log.access_log.info(format, SafeAtoms(found))

    return access
