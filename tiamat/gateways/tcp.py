"""
The contract of a worker script: ``run(config)`` returns a server.

A server is any of the things that ``kind_of`` tells apart; Tiamat gives it the
listening sockets. It must not bind any itself: ``TIAMAT`` in the environment says so to
who asks.
"""

import importlib
import importlib.util
import os
import sys
from inspect import Parameter, isclass, iscoroutinefunction, signature
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal, TypeAlias

from tiamat.errors import AppError, StartupError
from tiamat.gateways import interface, loader

RUN: Final = "run"
"""What a worker script defines."""

WSGI: Final = ("environ", "env", "start_response")
"""How parameters of a WSGI application are called."""

Kind: TypeAlias = Literal[
    "serves",  # an object with `async def serve(sockets)`
    "blocks",  # an object with `def serve(sockets)`
    "protocol",  # what makes asyncio protocols
    "streams",  # async def handler(reader, writer)
    "socketserver",  # socketserver.BaseServer
    "gevent",  # gevent's StreamServer
    "handler",  # def handler(sock, address)
    "wsgi",
    "asgi",
]

LOOP: Final = frozenset(("serves", "protocol", "streams"))
"""Kinds that run on an event loop; HTTP has workers of its own."""

HTTP: Final = frozenset(("wsgi", "asgi"))


def load(text: str) -> Any:
    """
    What makes the server: ``run`` of ``worker.py``, of a module, or ``module:name``.

    Raises:
        AppError: there is no such file or function.
        StartupError: it failed while it was imported; ``__cause__`` is the exception.
    """
    path = script_path(text)
    if path is not None:
        return function_of(load_file(text, path), RUN)
    spec = loader.parse_spec(text)
    module = loader.load_module(spec)
    if not spec.name:
        return function_of(module, RUN)
    return loader.load(text)


def script_path(text: str) -> Path | None:
    """
    The file that a script is; None if it is named as a module.

    Raises:
        AppError: there is no such file.
    """
    if not (text.endswith(".py") or "/" in text):
        return None
    path = Path(text).absolute()
    if not path.is_file():
        raise AppError(f"there is no worker script {text!r} (looked for {path})")
    return path


def load_file(text: str, path: Path) -> ModuleType:
    """Import a script under the name of its file, as Python does with a program's."""
    directory = str(path.parent)
    if directory not in sys.path:
        sys.path.insert(0, directory)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise AppError(f"{text!r} is no file of Python's")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise StartupError(
            f"{text!r} failed while it was imported: {loader.reason(error)}"
        ) from loader.without_ours(error)
    return module


def function_of(module: ModuleType, name: str) -> Any:
    """
    A function of a script.

    Raises:
        AppError: it has none; the text says what to write.
    """
    found = getattr(module, name, None)
    if not callable(found):
        raise AppError(
            f"{module.__name__!r} has no function {name!r}; a worker script defines"
            f" `def {name}(config)`, which returns a server"
        )
    return found


def takes_config(run: Any) -> bool:
    """Whether *run* is called with the config; it may do without."""
    return arity(run) != 0


def kind_of(server: Any) -> Kind | None:
    """
    What a worker script has returned; None if it is no server.

    Two arguments may be those of WSGI, of a stream's handler, or of one of sockets: a
    coroutine function is the second, and WSGI is told by the names of its parameters,
    ``environ`` or ``start_response``.
    """
    kind = by_type(server)
    if kind is None and callable(server):
        count = arity(server)
        if interface.is_coroutine(server):
            if count == 2:
                return "streams"
            if count == 3:
                return "asgi"
        elif count == 0:
            return "protocol"
        elif count == 2:
            return "wsgi" if names_of(server) & {*WSGI} else "handler"
        elif interface.interface(server) == "asgi":
            return "asgi"
    return kind


def by_type(server: Any) -> Kind | None:
    """What an object is whose class tells it."""
    serve = getattr(server, "serve", None)
    if callable(serve) and not isclass(server):
        return "serves" if iscoroutinefunction(serve) else "blocks"
    if is_of(server, "asyncio.protocols", "BaseProtocol", itself=True):
        return "protocol"
    if is_of(server, "socketserver", "BaseServer"):
        return "socketserver"
    if is_of(server, "gevent.baseserver", "BaseServer"):
        return "gevent"
    return None


def is_of(server: Any, module: str, name: str, *, itself: bool = False) -> bool:
    """
    Whether *server* is an object of a class that need not be imported for that.

    Args:
        server: what may be one.
        module: where the class is.
        name: of the class.
        itself: the class itself, or one below it, counts instead.
    """
    base = getattr(sys.modules.get(module), name, None)
    if base is None:
        return False
    if itself:
        return isclass(server) and issubclass(server, base)
    return isinstance(server, base)


def arity(function: Any) -> int | None:
    """How many arguments a call of *function* needs; None if it does not say."""
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(one.kind is Parameter.VAR_POSITIONAL for one in parameters):
        return None
    needed = [
        one
        for one in parameters
        if one.kind in interface.POSITIONAL and one.default is Parameter.empty
    ]
    return len(needed)


def names_of(function: Any) -> set[str]:
    """How the parameters of *function* are called."""
    return set(signature(function).parameters)


def announce(slot: int) -> None:
    """Say in the environment that a server must not bind: Tiamat has done so."""
    os.environ["TIAMAT"] = str(slot)
