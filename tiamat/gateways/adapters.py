"""
Servers that an installed package knows how to serve: entry points ``tiamat.servers``.

Each is a function. It is called with what ``run(config)`` has returned, if that is
nothing that we know, and returns None for what is not its own; otherwise something of
the kinds that ``tcp.Kind`` names.
"""

from typing import TYPE_CHECKING, Any, Final

from tiamat.errors import AppError, StartupError
from tiamat.gateways import loader
from tiamat.gateways.tcp import Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

GROUP: Final = "tiamat.servers"

KINDS: Final = (
    "an object with serve(sockets), a factory of asyncio protocols, async def"
    " handler(reader, writer), a socketserver, a gevent StreamServer, def"
    " handler(sock, address), or a WSGI or ASGI application"
)
"""What a script may return."""


def served(server: Any) -> tuple[Any, Kind]:
    """
    What is served for what a worker script has returned, and of what kind that is.

    Raises:
        AppError: it is no server, nor one for an installed package; the text says
            what may be returned.
        StartupError: a package failed; ``__cause__`` is the exception.
    """
    kind = kind_of(server)
    if kind is not None:
        return server, kind
    points = list(installed())
    for point in points:
        adapted = ask(point, server)
        if adapted is None:
            continue
        kind = kind_of(adapted)
        if kind is None:
            raise AppError(
                f"{described(point)} made {loader.described(adapted)} of"
                f" {loader.described(server)}, which is no server; it has to return"
                f" {KINDS}"
            )
        return adapted, kind
    names = ", ".join(map(described, points))
    asked = f"{names} did not want it" if names else "none is installed"
    raise AppError(
        f"run(config) returned {loader.described(server)}, which is no server: return"
        f" {KINDS}; or install a package that has an entry point {GROUP} for it"
        f" ({asked})"
    )


def installed() -> "Iterator[EntryPoint]":
    """The entry points, by name."""
    from importlib.metadata import entry_points  # 4 MB; few need it

    yield from sorted(entry_points(group=GROUP), key=lambda point: point.name)


def ask(point: "EntryPoint", server: Any) -> Any:
    """
    What a package makes of a server; None if it is none of its own.

    Raises:
        StartupError: it failed.
    """
    try:
        return point.load()(server)
    except (Exception, SystemExit) as error:
        raise StartupError(
            f"{described(point)} failed for {loader.described(server)}:"
            f" {loader.reason(error)}"
        ) from loader.without_ours(error)


def described(point: "EntryPoint") -> str:
    """An entry point, and whose it is: ``smtp = shop.smtp:adapt of shop 1.0``."""
    owner = f" of {point.dist.name} {point.dist.version}" if point.dist else ""
    return f"{point.name} = {point.value}{owner}"
