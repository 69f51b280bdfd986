"""
A request in the hands of a worker's methods, which gunicorn has and plugins override.

Our drivers have read it, and its answer is theirs to write; in between stand
``handle`` and ``handle_request`` of the worker, with gunicorn's arguments.
"""

from collections.abc import Callable
from typing import Any

from tiamat.compat.request import RequestView
from tiamat.gateways.wsgi import RequestEnded, WSGIGateway, WSGIResponse
from tiamat.gateways.wsgi_input import BodyError
from tiamat.types import Environ

Answer = Callable[["HeldRequest"], object]


class HeldRequest(RequestView):
    """
    gunicorn's request, which can be answered once.

    What is changed in ``headers`` before that, the application sees.
    """

    def __init__(self, client: "Client", environ: Environ, answer: Answer) -> None:
        super().__init__(client.response.request, environ)
        self.held = client
        self.variables = environ
        self.trailers: list[tuple[str, str]] = []
        self._before = list(self.headers)
        self._answer = answer

    def answer(self) -> None:
        """
        Run the application, and write what it answers.

        Raises:
            Exception: what the application raised before its head was sent.
            StopIteration: it failed behind that, and nothing more is to be said.
        """
        if self.headers != self._before:
            self.variables.update(changed(self._before, self.headers))
        self._answer(self)


def changed(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> dict[str, str]:
    """The variables of those headers that are others now."""
    names = {name for name, _ in {*before} ^ {*after}}
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, value in after:
        if name in names:
            found[name].append(value)
    return {variable(name): ",".join(values) for name, values in found.items()}


def variable(name: str) -> str:
    """What the environ calls a header."""
    name = name.upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


class Client:
    """
    The connection of one request, as a socket: who writes to it has answered.

    Args:
        connection: of a driver of ours.
        response: what is written to it.
    """

    def __init__(self, connection: Any, response: WSGIResponse) -> None:
        self.connection = connection
        self.response = response
        self.request: Any = None
        self._raw = False

    def __getattr__(self, name: str) -> Any:
        """Whatever sockets have."""
        if name == "connection":  # while it is being made
            raise AttributeError(name)
        return getattr(self.connection.sock, name)

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Write an answer, head and all; nothing if there is one already."""
        data = bytes(data)
        response = self.response
        response.keep_alive = False
        if response.status and not self._raw:
            return
        if not self._raw:
            self._raw = True
            response.sent = response.excess = 0
            said = data[9:12]
            response.status = int(said) if said.isdigit() else 200
        self.connection.write(data)

    def send(self, data: bytes, flags: int = 0) -> int:
        """As ``sendall``."""
        self.sendall(data, flags)
        return len(data)

    def close(self) -> None:
        """The connection ends behind what was said."""
        self.response.keep_alive = False

    def shutdown(self, how: int) -> None:
        """The same."""
        self.response.keep_alive = False

    def setblocking(self, flag: bool) -> None:
        """Nothing: it never blocks others."""

    def settimeout(self, value: float | None) -> None:
        """Nothing: how long clients may take is among the settings."""


class RaisingGateway(WSGIGateway):
    """Leaves it to the worker's methods what becomes of an application's error."""

    def _failed(self, error: BaseException, response: WSGIResponse) -> None:
        if isinstance(error, (RequestEnded, BodyError)):
            super()._failed(error, response)
        elif isinstance(error, StopIteration):
            response.keep_alive = False  # so libraries say that they have answered
        elif response.status:
            super()._failed(error, response)
            raise StopIteration from error
        else:
            raise error
