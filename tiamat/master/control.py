"""
The control socket, served from the master's own loop.

One line of JSON comes in, one goes out, and the connection is closed:

    {"command": "scale", "arguments": {"count": 4}}
    {"status": 0, "text": "4 workers from now on", "data": null}

The master never waits for a client: sockets don't block, answers are buffered, and
who does not send or read in time is dropped. An answer that is not known yet, as
that of ``reload --wait``, is a ``Pending``; others complete it.
"""

import contextlib
import json
import math
import os
import selectors
import socket
from time import monotonic
from typing import TYPE_CHECKING, Final

from tiamat.master.answers import Answer, Pending
from tiamat.master.commands import call, changes, in_words

if TYPE_CHECKING:
    from tiamat.master.arbiter import Arbiter
    from tiamat.system.private_socket import Peer, PrivateSocket

REQUEST_LIMIT: Final = 65536
"""The most bytes of a request."""

CLIENTS_LIMIT: Final = 16

PATIENCE: Final = 5.0
"""Seconds that a client has to send its request, and as many to read the answer."""

PAUSE: Final = 1.0
"""Seconds without new clients when there are no descriptors left."""


class Client:
    """
    Somebody who asks.

    Attributes:
        peer: who it is.
        received: of its request, so far.
        pending: what it waits for, when the request is known.
        rest: what it has not read of the answer.
        deadline: when we lose patience with it.
    """

    def __init__(self, sock: socket.socket, peer: "Peer", deadline: float) -> None:
        self.sock = sock
        self.peer = peer
        self.deadline = deadline
        self.received = b""
        self.rest = b""
        self.pending: Pending | None = None

    @property
    def due(self) -> float:
        """When it has to be looked at."""
        return self.deadline if self.pending is None else self.pending.due


class Control:
    """
    All who ask.

    Attributes:
        began: when the master did.
        clients: who asks.
    """

    def __init__(self, arbiter: "Arbiter") -> None:
        self.arbiter = arbiter
        self.began = monotonic()
        self.clients: list[Client] = []
        # One of its own, in the master's: that learns only that there is something.
        self.selector: selectors.DefaultSelector | None = None
        self._listening: PrivateSocket | None = None
        self._resume_at = math.inf

    @property
    def deadline(self) -> float:
        """When ``serve`` wants to be called, though nobody says anything."""
        return min([self._resume_at, *(client.due for client in self.clients)])

    # --- Once per turn --------------------------------------------------------------

    def serve(self, now: float) -> None:
        """Hear who speaks, answer who can be answered, drop who is late."""
        self.follow(now)
        if self.selector is None:
            return
        for key, _ in self.selector.select(0):
            if key.data is None:
                self.accept(now)
            elif key.data.rest:
                self.flush(key.data)
            else:
                self.receive(key.data, now)
        for client in list(self.clients):
            if client.pending is None:
                if now >= client.deadline:
                    self.drop(client)
            elif (answer := client.pending.result(now)) is not None:
                self.reply(client, answer, now)

    def follow(self, now: float) -> None:
        """Listen where the settings say; a reload may have changed that."""
        entrance = self.arbiter.premises.entrance.file
        if self._resume_at <= now:
            self._resume_at = math.inf
        if entrance is self._listening or self._resume_at < math.inf:
            return
        selector = self.selector or self.open()
        if self._listening is not None:
            selector.unregister(self._listening.sock)
        if entrance is not None:
            selector.register(entrance.sock, selectors.EVENT_READ)
        self._listening = entrance

    def open(self) -> selectors.DefaultSelector:
        """Have something to wait with, in the master only."""
        self.selector = selectors.DefaultSelector()
        self.arbiter.keeper.selector.register(self.selector, selectors.EVENT_READ)
        return self.selector

    def accept(self, now: float) -> None:
        """Let one in who may ask, if there is room; refuse others in words."""
        if self._listening is None or self.selector is None:
            return
        try:
            accepted = self._listening.accept()
        except OSError as error:
            self.arbiter.log.error("control socket: %s", error.strerror)
            self.pause(now)
            return
        if accepted is None:
            return
        client = Client(*accepted, deadline=now + PATIENCE)
        uid, ours = client.peer.uid, os.geteuid()
        if uid not in (0, ours):
            self.arbiter.log.warning(
                "control socket: user %d (pid %d) is refused: only %d and root may ask",
                *(uid, client.peer.pid, ours),
            )
            refusal = f"user {uid} may not ask here; root and user {ours} may"
        elif len(self.clients) >= CLIENTS_LIMIT:
            refusal = f"{CLIENTS_LIMIT} others are asking already; try again"
        else:
            self.clients.append(client)
            self.selector.register(client.sock, selectors.EVENT_READ, client)
            return
        with contextlib.suppress(OSError):
            client.sock.send(encode(Answer(1, refusal)))
        client.sock.close()

    def pause(self, now: float) -> None:
        """There are no descriptors left: who knocks has to wait."""
        if self._listening is not None and self.selector is not None:
            self.selector.unregister(self._listening.sock)
            self._listening = None
            self._resume_at = now + PAUSE

    def receive(self, client: Client, now: float) -> None:
        """Take what came; do what it asks for when the line is complete."""
        try:
            data = client.sock.recv(REQUEST_LIMIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or client.pending is not None:  # one request, and it has gone
            self.drop(client)
            return
        client.received += data
        if b"\n" in client.received:
            answer = self.answer(client)
            if isinstance(answer, Pending):
                client.pending = answer
            else:
                self.reply(client, answer, now)
        elif len(client.received) >= REQUEST_LIMIT:
            self.reply(client, Answer(1, "the request is too long"), now)

    def answer(self, client: Client) -> Answer | Pending:
        """Do what a client asks for; whatever happens then, the master goes on."""
        try:
            name, arguments = decode(client.received.partition(b"\n")[0])
        except ValueError as error:
            return Answer(1, str(error))
        if changes(name):
            self.arbiter.log.info(
                "control socket: %s, by user %d (pid %d)",
                *(in_words(name, arguments), client.peer.uid, client.peer.pid),
            )
        try:
            return call(self.arbiter, name, arguments)
        except ValueError as error:
            return Answer(1, str(error))
        except Exception as error:
            self.arbiter.log.exception("the command %s failed", name)
            return Answer(1, f"{name} failed: {type(error).__name__}: {error}")

    def reply(self, client: Client, answer: Answer, now: float) -> None:
        """Send the answer, as fast as the client takes it."""
        client.pending = None
        client.deadline = now + PATIENCE
        client.rest = encode(answer)
        if self.flush(client) and self.selector is not None:
            self.selector.modify(client.sock, selectors.EVENT_WRITE, client)

    def flush(self, client: Client) -> bool:
        """Send what the client takes now; whether something is left."""
        try:
            client.rest = client.rest[client.sock.send(client.rest) :]
        except BlockingIOError:
            return True
        except OSError:
            client.rest = b""  # it is gone
        if client.rest:
            return True
        self.drop(client)
        return False

    def drop(self, client: Client) -> None:
        """Be rid of a client."""
        if self.selector is not None:
            self.selector.unregister(client.sock)
        client.sock.close()
        self.clients.remove(client)

    # --- What others know -----------------------------------------------------------

    def hear(self, pid: int, stack: str) -> None:
        """A worker says what it does."""
        for client in self.clients:
            if client.pending is not None and client.pending.pid == pid:
                client.pending.answer = Answer(0, stack, {"pid": pid, "stack": stack})

    # --- The end --------------------------------------------------------------------

    def close(self) -> None:
        """Answer who can be answered, and leave the others."""
        self.serve(monotonic())
        for client in list(self.clients):
            if client.pending is not None:
                self.reply(client, Answer(1, "the server has stopped"), monotonic())
        self.forget()

    def forget(self) -> None:
        """Close all, and say nothing: at the end, and in every process just forked."""
        for client in self.clients:
            client.sock.close()
        self.clients.clear()
        if (entrance := self.arbiter.premises.entrance.file) is not None:
            entrance.close()
        if self.selector is not None:
            self.selector.close()
        self.selector = None


def decode(line: bytes) -> tuple[str, dict[str, object]]:
    """
    The command and its arguments.

    Raises:
        ValueError: the line is no request.
    """
    try:
        request = json.loads(line)
        name, arguments = request["command"], request.get("arguments", {})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        name = arguments = None
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise ValueError('no request; write {"command": "status"} in one line of JSON')
    return name, arguments


def encode(answer: Answer) -> bytes:
    """The answer as it goes over the socket."""
    return json.dumps(answer._asdict(), default=str).encode() + b"\n"
