"""
USR2: a new master, perhaps of a new version, takes the listeners over.

The old master forks, and the new process becomes, by exec, the command that the old
one was started with: same arguments, same directory, same environment, and three
variables of ours that name the old master, the descriptors of the listeners, and
that of a channel between the two. Over it the new master says that all its workers
serve, or why they don't. What the old one does then: ``handover``.
"""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

from tiamat.config import Config
from tiamat.errors import BindError, TiamatError
from tiamat.master.listeners import Listeners
from tiamat.master.server import Server
from tiamat.system import signals, systemd
from tiamat.system.channel import Channel
from tiamat.system.messages import Failed, Message

MASTER: Final = "TIAMAT_PID"
LISTENERS: Final = "TIAMAT_FDS"
"""JSON: the address as the settings write it, and its descriptor; if the addresses
are not the settings' to say, ``"fixed": true`` beside them; the names that systemd has
for descriptors, and those under which it keeps some."""

CHANNEL: Final = "TIAMAT_CHANNEL"
"""The descriptor of the new master's end."""

GUNICORN: Final = ("GUNICORN_PID", "GUNICORN_FD")
"""What a gunicorn says that gives its place to us."""


@dataclass(slots=True)
class Inheritance:
    """
    What a master finds in its environment.

    Attributes:
        master: the pid of the old master; 0 if there is none.
        fds: the descriptors of its listeners, by address.
        fixed: whether these addresses stay, whatever the settings say.
        channel: the descriptor of our end of the channel to it; -1 if it has none.
        systemd: descriptors from socket units, and their names.
        stored: descriptors of our own that systemd has kept, by name.
        kept: the names of all that it keeps.
        names: of the old master's listeners, by address; some have none.
        status: the descriptor of its listener for ``status_bind``, by address.
    """

    master: int = 0
    fds: dict[str, int] = field(default_factory=dict)
    fixed: bool = False
    channel: int = -1
    systemd: dict[int, str] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)

    def listeners(self, binds: Sequence[str]) -> Listeners:
        """
        The listeners that are there already.

        Args:
            binds: the addresses of the settings.

        Raises:
            BindError: what was handed over is not there.
        """
        if self.fds:
            handed = Listeners.from_predecessor(self.fds, fixed=self.fixed)
            for bind, listener in handed.by_bind.items():
                listener.name = self.names.get(bind, "")
            return handed
        kept = Listeners.from_store(self.stored, () if self.systemd else binds)
        return Listeners.from_systemd(self.systemd) if self.systemd else kept


def inheritance(environ: MutableMapping[str, str], binds: Sequence[str]) -> Inheritance:
    """
    Take what an old master or systemd handed over out of the environment.

    Args:
        environ: the environment; the variables are removed, for they are not for
            the processes that come from this one.
        binds: the addresses of the settings.

    Raises:
        BindError: it can't be read.
    """
    ours = environ.pop(MASTER, ""), environ.pop(LISTENERS, "")
    channel = environ.pop(CHANNEL, "-1")
    theirs = environ.pop(GUNICORN[0], ""), environ.pop(GUNICORN[1], "")
    passed = systemd.listen_fds(environ)
    kept = {name: fd for fd, name in passed if name.startswith(systemd.STORED)}
    try:
        if all(ours):
            handed = json.loads(ours[1])
            fds = {str(bind): int(fd) for bind, fd in handed["fds"].items()}
            found = Inheritance(int(ours[0]), fds, bool(handed["fixed"]), int(channel))
            found.kept = [str(name) for name in handed.get("kept", ())]
            found.names = dict(handed.get("names", {}))
            found.status = {
                str(b): int(fd) for b, fd in handed.get("status", {}).items()
            }
            return found
        if all(theirs):
            numbers = [int(fd) for fd in theirs[1].split(",")]
            known = binds if len(binds) == len(numbers) else ()
            fds = dict(zip(known or (f"fd://{n}" for n in numbers), numbers))  # noqa: B905  as long as each other
            return Inheritance(int(theirs[0]), fds, fixed=not known)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BindError(
            f"can't read what an old master handed over: {ours} {theirs}"
        ) from None
    units = {fd: name for fd, name in passed if name not in kept}
    return Inheritance(systemd=units, stored=kept, kept=list(kept))


def environment(
    original: Mapping[str, str],
    listeners: Listeners,
    master: int,
    channel: int = -1,
    status: Mapping[str, int] | None = None,
) -> dict[str, str]:
    """
    The environment of a new master; made in its process.

    Args:
        original: that which the old master was started in.
        listeners: what is handed on.
        master: the pid of the old master.
        channel: the descriptor of the new one's end.
        status: that of the listener for ``status_bind``, by address.
    """
    dropped = {MASTER, LISTENERS, CHANNEL, *GUNICORN, *systemd.VARIABLES}
    environ = {name: value for name, value in original.items() if name not in dropped}
    if environ.get("WATCHDOG_PID") == str(master):
        environ["WATCHDOG_PID"] = str(os.getpid())
    environ[MASTER] = str(master)
    environ[CHANNEL] = str(channel)
    environ[LISTENERS] = json.dumps(
        {
            "fds": listeners.descriptors(),
            "fixed": listeners.fixed,
            "names": {b: li.name for b, li in listeners.by_bind.items() if li.name},
            "kept": [name for name, li in listeners.stored().items() if li.stored],
            "status": dict(status or {}),
        }
    )
    return environ


class Succession:
    """
    The other master beside this one: an older, a newer, or none.

    Attributes:
        predecessor: pid of the master that started this one; 0 when it is gone.
        successor: pid of the master that this one has started; 0 if none.
        channel: our end of the channel to it; None if there is none, or it is closed.
        named: whether the predecessor has given up its names, and serves no more.
        main: whether the service manager listens to this one already.
        ending: whether the successor was told to stop, with all of us.
        retired: whether this one serves no more, since the successor does.
        by_script: whether this process is what the first line of a script asks for.
    """

    def __init__(self, predecessor: int = 0, channel: Channel | None = None) -> None:
        self.predecessor = predecessor
        self.successor = 0
        self.channel = channel
        self.named = self.main = self.ending = self.retired = False
        self.by_script = interpreter(sys.orig_argv) == sys.executable

    @classmethod
    def of(cls, inherited: Inheritance) -> "Succession":
        """
        What there is at the start.

        Raises:
            BindError: the channel that was handed over is none.
        """
        channel = None
        if inherited.channel >= 0:
            try:
                channel = Channel(socket.socket(fileno=inherited.channel))
            except OSError as error:
                raise BindError(f"no channel to the old master: {error}") from None
            channel.sock.set_inheritable(False)
        if inherited.master and inherited.master == os.getppid():
            return cls(inherited.master, channel)
        if channel is not None:  # who started us is gone already
            channel.close()
        return cls()

    @property
    def other(self) -> int:
        """The pid of the other master, whatever it does; 0 if there is none."""
        return self.predecessor or self.successor

    @property
    def alone(self) -> bool:
        """Whether no other master serves on our listeners."""
        before = self.predecessor and not self.named
        behind = self.successor and not self.ending
        return not (before or behind)

    @property
    def first(self) -> bool:
        """Whether the service manager listens to this one, if there is any."""
        return self.main or not self.predecessor

    @property
    def suffix(self) -> str:
        """What the names of a master end with that is not the one that serves."""
        if self.retired:
            return ".old"
        return ".2" if self.predecessor and not self.named else ""

    def predecessor_gone(self) -> bool:
        """Whether the old master has gone since this was asked last."""
        if not self.predecessor or os.getppid() == self.predecessor:
            return False
        self.predecessor = 0
        return True

    def start(self, server: Server, listeners: Listeners, status: Listeners) -> None:
        """
        Fork the new master.

        Raises:
            OSError: there can't be another process, or no more descriptors.
        """
        master = os.getpid()
        here, there = Channel.pair()
        try:
            pid = signals.fork()
        except OSError:
            here.close()
            there.close()
            raise
        if pid:
            there.close()
            self.successor, self.channel = pid, here
            return
        try:
            server.call("pre_exec", server)
            self.become_new_master(server.config, listeners, status, master, there)
        except BaseException as error:
            there.send(Failed(1, f"can't become a new master: {error}"))
            server.log.exception("can't become a new master")
        finally:
            os._exit(1)

    def become_new_master(
        self,
        config: Config,
        listeners: Listeners,
        status: Listeners,
        master: int,
        channel: Channel,
    ) -> NoReturn:
        """
        Be the command again that this process was started with.

        Raises:
            OSError: that can't be done.
        """
        os.chdir(config.sources.cwd)
        handed_on = [listener.sock for listener in (*listeners.all, *status.all)]
        for open_file in (*handed_on, channel.sock):
            open_file.set_inheritable(True)
        # Not sys.argv: under `python -m` that is the path of a file, and its directory
        # would come first where modules are looked for. A script may have another
        # interpreter by now: that of the release that a link points to.
        named = interpreter(sys.orig_argv) if self.by_script else ""
        program = named or sys.executable
        os.execve(  # noqa: S606  no shell, on purpose
            program,
            [program, *sys.orig_argv[1:]],
            environment(
                config.sources.environ,
                listeners,
                master,
                channel.fileno(),
                status.descriptors(),
            ),
        )

    def messages(self) -> Iterator[Message]:
        """
        What the other master says.

        Raises:
            EOFError: it is gone, or has left us alone.
            ValueError: it sent what is no message.
        """
        while self.channel and (message := self.channel.receive()) is not None:
            yield message

    def tell(self, message: Message) -> None:
        """Tell the other master something, if it listens."""
        if self.channel is not None:
            self.channel.send(message)

    def reaped(self, pid: int) -> bool:
        """Whether this was the new master; it is gone then."""
        if not self.successor or pid != self.successor:
            return False
        self.successor = 0
        return True

    def close(self) -> None:
        """Let go of our end of the channel."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None


def interpreter(command: Sequence[str]) -> str:
    """
    What the first line of a script asks for, ``#!/srv/site/.venv/bin/python``.

    Args:
        command: a command line that begins with an interpreter.

    Returns:
        Nothing, if no script follows it, or one that asks for something with
        arguments.
    """
    if len(command) < 2 or command[1].startswith("-"):
        return ""
    try:
        with open(command[1], "rb") as script:
            line = script.readline(256)
    except OSError:
        return ""
    path = os.fsdecode(line[2:]).strip()
    return path if line.startswith(b"#!/") and len(path.split()) == 1 else ""


def report_failure(error: TiamatError) -> None:
    """Tell an old master that waits for us why there will be no new one."""
    number = os.environ.pop(CHANNEL, "")
    if not number.isdecimal():
        return
    with contextlib.suppress(OSError), socket.socket(fileno=int(number)) as sock:
        Channel(sock).send(Failed(error.exit_status, str(error)))
