"""
USR2: a new master, perhaps of a new version, takes the listeners over.

The old master forks, and the new process becomes, by exec, the command that the old
one was started with: same arguments, same directory, same environment, and two
variables of ours that name the old master and the descriptors of the listeners.
Both masters serve until somebody stops one of them: the old one, with WINCH or
TERM, or the new one if it is no good. When the old one is gone the new one takes
its pid file over.
"""

import json
import os
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

from tiamat.config import Config
from tiamat.errors import BindError
from tiamat.master.listeners import Listeners
from tiamat.master.server import Server
from tiamat.system import signals, systemd

MASTER: Final = "TIAMAT_PID"
LISTENERS: Final = "TIAMAT_FDS"
"""JSON: the address as the settings write it, and its descriptor; if the addresses
are not the settings' to say, ``"fixed": true`` beside them; the names of those that
systemd keeps."""

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
        systemd: descriptors from a socket unit.
        stored: descriptors of our own that systemd has kept, by name.
        kept: the names of all that it keeps.
    """

    master: int = 0
    fds: dict[str, int] = field(default_factory=dict)
    fixed: bool = False
    systemd: list[int] = field(default_factory=list)
    stored: dict[str, int] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)

    def listeners(self, binds: Sequence[str]) -> Listeners:
        """
        The listeners that are there already.

        Args:
            binds: the addresses of the settings.

        Raises:
            BindError: what was handed over is not there.
        """
        if self.fds:
            return Listeners.from_predecessor(self.fds, fixed=self.fixed)
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
    theirs = environ.pop(GUNICORN[0], ""), environ.pop(GUNICORN[1], "")
    passed = systemd.listen_fds(environ)
    kept = {name: fd for fd, name in passed if name.startswith(systemd.STORED)}
    try:
        if all(ours):
            handed = json.loads(ours[1])
            fds = {str(bind): int(fd) for bind, fd in handed["fds"].items()}
            names = [str(name) for name in handed.get("kept", ())]
            return Inheritance(int(ours[0]), fds, bool(handed["fixed"]), kept=names)
        if all(theirs):
            numbers = [int(fd) for fd in theirs[1].split(",")]
            known = binds if len(binds) == len(numbers) else ()
            fds = dict(zip(known or (f"fd://{n}" for n in numbers), numbers))  # noqa: B905  as long as each other
            return Inheritance(int(theirs[0]), fds, fixed=not known)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BindError(
            f"can't read what an old master handed over: {ours} {theirs}"
        ) from None
    units = [fd for fd, name in passed if name not in kept]
    return Inheritance(systemd=units, stored=kept, kept=list(kept))


def environment(
    original: Mapping[str, str], listeners: Listeners, master: int
) -> dict[str, str]:
    """The environment of a new master."""
    dropped = {MASTER, LISTENERS, *GUNICORN, *systemd.VARIABLES}
    environ = {name: value for name, value in original.items() if name not in dropped}
    environ[MASTER] = str(master)
    environ[LISTENERS] = json.dumps(
        {
            "fds": listeners.descriptors(),
            "fixed": listeners.fixed,
            "kept": [name for name, li in listeners.stored().items() if li.stored],
        }
    )
    return environ


class Succession:
    """
    The other master beside this one: an older, a newer, or none.

    Attributes:
        predecessor: pid of the master that started this one; 0 when it is gone.
        successor: pid of the master that this one has started; 0 if none.
    """

    def __init__(self, predecessor: int = 0) -> None:
        self.predecessor = predecessor
        self.successor = 0

    @property
    def alone(self) -> bool:
        """Whether no other master has our listeners."""
        return not (self.predecessor or self.successor)

    @property
    def first(self) -> bool:
        """Whether this is the older of two masters, or the only one."""
        return not self.predecessor

    @property
    def suffix(self) -> str:
        """What the pid file and the name of the younger of two masters end with."""
        return ".2" if self.predecessor else ""

    def predecessor_gone(self) -> bool:
        """Whether the old master has gone since this was asked last."""
        if not self.predecessor or os.getppid() == self.predecessor:
            return False
        self.predecessor = 0
        return True

    def start(self, server: Server, listeners: Listeners) -> None:
        """
        Fork the new master.

        Raises:
            OSError: there can't be another process.
        """
        master = os.getpid()
        pid = signals.fork()
        if pid:
            self.successor = pid
            return
        try:
            server.call("pre_exec", server)
            become_new_master(server.cfg, listeners, master)
        except BaseException:
            server.log.exception("can't become a new master")
        finally:
            os._exit(1)

    def reaped(self, pid: int) -> bool:
        """Whether this was the new master; it is gone then."""
        if not self.successor or pid != self.successor:
            return False
        self.successor = 0
        return True


def become_new_master(config: Config, listeners: Listeners, master: int) -> NoReturn:
    """
    Be the command again that this process was started with.

    Raises:
        OSError: that can't be done.
    """
    os.chdir(config.sources.cwd)
    for listener in listeners.all:
        listener.sock.set_inheritable(True)
    # Not sys.argv: under `python -m` that is the path of a file, and its directory
    # would come first where modules are looked for.
    os.execve(  # noqa: S606  no shell, on purpose
        sys.executable,
        [sys.executable, *sys.orig_argv[1:]],
        environment(config.sources.environ, listeners, master),
    )
