"""What the log tells of an application that gets something wrong."""

from typing import Protocol

from tiamat.protocol.errors import InvalidResponse
from tiamat.protocol.request import Request
from tiamat.protocol.response import Response


class Log(Protocol):
    """What gateways need of a log."""

    def debug(self, msg: str, /, *args: object) -> None: ...

    def info(self, msg: str, /, *args: object) -> None: ...

    def warning(self, msg: str, /, *args: object) -> None: ...

    def error(self, msg: str, /, *args: object, exc_info: BaseException) -> None: ...


def method_and_path(request: Request) -> str:
    """What the log calls a request; queries have secrets."""
    path = request.target.partition(b"?")[0].decode("latin-1")
    return f"{request.method} {path}"


def report(
    log: Log,
    request: Request,
    error: BaseException,
    *,
    cancelled: bool = False,
    gone: bool = False,
) -> None:
    """
    Log what an application has raised, as loud as it is its fault.

    Args:
        log: Where to.
        request: What it was called for.
        error: What it raised.
        cancelled: We have cancelled it.
        gone: Nobody was left to hear it.
    """
    where = method_and_path(request)
    if cancelled:
        log.debug("%s: cancelled", where)
    elif gone:
        log.debug("%s: the client has gone", where)
    elif isinstance(error, InvalidResponse):
        log.warning("%s: %s", where, error)
    else:
        log.error("error handling %s", where, exc_info=error)


def complain(log: Log, response: Response, *, gone: bool = False) -> None:
    """
    Log what is wrong with a response, and what nobody was told by it.

    Args:
        log: Where to.
        response: It is ``faulty``.
        gone: Nobody was left to hear the rest.
    """
    where = method_and_path(response.request)
    if response.excess:
        log.warning("%s: %d bytes beyond Content-Length cut", where, response.excess)
    if response.missing and not gone:
        log.warning(
            "%s: %d bytes short of Content-Length, closing", where, response.missing
        )
    if response.dropped:
        names = b", ".join(response.dropped).decode()
        log.warning("%s: hop-by-hop header %s not passed on", where, names)
