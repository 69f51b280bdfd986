"""The listeners that the master keeps for its workers: bound, adopted, handed on."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from tiamat.config import Config, named
from tiamat.errors import BindError
from tiamat.system import backlog, sockets, systemd
from tiamat.system.addresses import is_given
from tiamat.system.listener import Listener, inode_of, shares_port
from tiamat.system.sockets import AddressInUse

BESIDE: Final = "#"
"""Stands in keys between an address and the slot of a further socket on it."""


class Listeners:
    """
    The listeners, by the address as the settings write it.

    Attributes:
        by_bind: them.
        fixed: who started us gave them, so the setting ``bind`` has no say.
    """

    def __init__(self, by_bind: Mapping[str, Listener], *, fixed: bool = False) -> None:
        self.by_bind = dict(by_bind)
        self.fixed = fixed

    @property
    def all(self) -> list[Listener]:
        """The listeners, in the order of the setting."""
        return list(self.by_bind.values())

    @classmethod
    def from_systemd(cls, fds: Mapping[int, str]) -> "Listeners":
        """Adopt the sockets of socket units, with their names; they stay systemd's."""
        by_bind = {f"fd://{fd}": sockets.adopt(fd) for fd in fds}
        for listener, name in zip(by_bind.values(), fds.values(), strict=True):
            listener.name = name
        return cls(by_bind, fixed=True)

    @classmethod
    def from_predecessor(cls, fds: Mapping[str, int], *, fixed: bool) -> "Listeners":
        """
        Take over the sockets of an old master.

        What it had bound is ours now, with the file of a Unix socket; what it had
        been given (``fd://``) stays that of who gave it.
        """
        by_bind = {}
        for bind, fd in fds.items():
            listener = sockets.adopt(fd)
            listener.mark(bind)
            if not is_given(bind):
                listener.inherited = False
                listener.inode = inode_of(listener.path)
            by_bind[bind] = listener
        return cls(by_bind, fixed=fixed)

    @classmethod
    def from_store(cls, fds: Mapping[str, int], binds: Iterable[str]) -> "Listeners":
        """
        Take back what a master before us had bound, and systemd has kept.

        Args:
            fds: the descriptors, by the names that they are kept under.
            binds: the addresses that are wanted; the others are closed.
        """
        if not fds:
            return cls({})
        left = dict(fds)
        names = ((bind, systemd.store_name(bind)) for bind in dict.fromkeys(binds))
        wanted = {bind: left.pop(name) for bind, name in names if name in left}
        for fd in left.values():
            os.close(fd)
        return cls.from_predecessor(wanted, fixed=False)

    def rebound(
        self, config: Config, may_wait: Callable[[AddressInUse], bool]
    ) -> "Listeners":
        """
        The listeners of these settings: what there is already, and the rest bound.

        Args:
            config: the settings.
            may_wait: called when an address is in use; waits a little and says
                whether to try again.

        Raises:
            BindError: an address can't be had; nothing was bound then.
        """
        if self.fixed:
            return self
        by_bind = {}
        bound = Listeners({})
        try:
            for bind in dict.fromkeys(config.bind):
                listener = self.by_bind.get(bind) or listen(bind, config, may_wait)
                by_bind[bind] = listener
                if bind not in self.by_bind:
                    bound.by_bind[bind] = listener
                for key in self.beside(bind, listener, config):
                    other = self.by_bind.get(key)
                    if other is None:
                        other = sockets.listen_beside(listener, config.backlog)
                        other.mark(bind)
                        bound.by_bind[key] = other
                    by_bind[key] = other
        except BaseException:
            bound.close()
            raise
        return Listeners(by_bind)

    def beside(self, bind: str, listener: Listener, config: Config) -> list[str]:
        """
        The keys of the sockets that listen on the same address, for ``reuse_port``.

        One per slot. All workers accept from all of them, so none is ever closed with
        connections in its queue while others serve, and none waits behind a busy
        worker. What is there stays, however many workers there are.
        """
        if bind in self.by_bind or not shares_port(listener):
            # None is added: if a reload failed, it would go with what it has got.
            return [key for key in self.by_bind if key.startswith(bind + BESIDE)]
        return [f"{bind}{BESIDE}{slot}" for slot in range(1, config.workers)]

    def urls(self, scheme: str) -> list[str]:
        """Where they are reached, each address once."""
        return list(dict.fromkeys(one.url_by(scheme) for one in self.all))

    def without(self, others: "Listeners") -> "Listeners":
        """Those of these that the others don't have."""
        ours = self.by_bind.items()
        return Listeners({b: li for b, li in ours if b not in others.by_bind})

    def descriptors(self) -> dict[str, int]:
        """Their descriptors, for a new master."""
        return {bind: li.fileno() for bind, li in self.by_bind.items()}

    def stored(self) -> "dict[str, Listener]":
        """Those that systemd shall keep, by the name for that: we have bound them."""
        return {
            systemd.store_name(bind): listener
            for bind, listener in self.by_bind.items()
            if not (listener.inherited or BESIDE in bind)
        }

    def refuse_new(self) -> bool:
        """
        Let no new connections into the queues of those that nobody else has.

        What systemd keeps goes on taking them: for our next start.

        Returns:
            Whether there are any of ours; who was given a socket leaves its queue
            alone.
        """
        ours = [listener for listener in self.all if not listener.inherited]
        for listener in ours:
            if not listener.stored:
                backlog.refuse_new(listener.sock)
        return bool(ours)

    def refuse_datagrams(self) -> None:
        """
        There is no HTTP in datagrams, whoever bound the socket.

        Raises:
            BindError: one is for them.
        """
        for listener in self.all:
            if listener.takes_datagrams:
                raise BindError(
                    f"can't serve HTTP on {listener.url}: it is for datagrams, which"
                    " only worker scripts serve (-s)"
                )

    def close(self, *, unlink: bool = True) -> None:
        """Close the master's copies, and remove the files of Unix sockets."""
        for listener in self.all:
            if unlink:
                listener.unlink()
            listener.close()


def listen(
    bind: str, config: Config, may_wait: Callable[[AddressInUse], bool]
) -> Listener:
    """Bind one address, as soon as it is free."""
    owner = (config.user, config.group)
    while True:
        try:
            return sockets.listen(
                [bind],
                config.backlog,
                umask=config.umask,
                owner=owner,
                reuse_port=config.reuse_port,
            )[0]
        except AddressInUse as error:
            if not may_wait(error):
                raise


def never(error: AddressInUse) -> bool:
    """Don't wait for an address: the server has others, and goes on with them."""
    return False


def status_listeners(
    config: Config, known: Listeners, may_wait: Callable[[AddressInUse], bool]
) -> Listeners:
    """
    What these settings want for ``status_bind``: the known one, a new one, or none.

    Raises:
        ConfigError: a package is missing.
        BindError: the address can't be had.
    """
    bind = config.status_bind
    if bind is None:
        return Listeners({})
    named.check_status(config)
    listener = known.by_bind.get(bind) or listen(bind, config, may_wait)
    return Listeners({bind: listener})
