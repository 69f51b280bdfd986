"""gunicorn's logger, on our logs, and what stands beside it."""

import logging
import socket
from typing import Any, Final

from tiamat.compat.logger import Logger, SafeAtoms
from tiamat.observe.logconfig import DEFAULTS
from tiamat.observe.syslog import FACILITIES, split

__all__ = [
    "CONFIG_DEFAULTS",
    "SYSLOG_FACILITIES",
    "Logger",
    "SafeAtoms",
    "loggers",
    "parse_syslog_address",
]

SYSLOG_FACILITIES: Final = FACILITIES

CONFIG_DEFAULTS: Final[dict[str, Any]] = DEFAULTS | {
    "loggers": {
        name: {
            "level": "INFO",
            "handlers": [handler],
            "propagate": True,
            "qualname": name,
        }
        for name, handler in (
            ("gunicorn.error", "error_console"),
            ("gunicorn.access", "console"),
        )
    }
}
"""What a ``logconfig_dict`` begins with, for those who extend it by hand."""


def loggers() -> list[logging.Logger]:
    """All loggers that there are."""
    return [logging.getLogger(name) for name in logging.root.manager.loggerDict]


def parse_syslog_address(addr: str) -> Any:
    """
    The kind of socket, and where it goes: a path, or ``(host, port)``.

    Raises:
        RuntimeError: it is no address.
    """
    try:
        scheme, where, more = split(addr)
    except ValueError as error:
        raise RuntimeError(f"{addr!r} {error}") from None
    if scheme == "unix":
        return (socket.SOCK_DGRAM if more == "dgram" else None), where
    kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
    return kind, (where.lower(), int(more))
