"""
Files by which the master is found: the pid file, and the socket for commands.

Had at the start, changed by a reload, and left at the end. A master that starts beside
an older one has them under names of its own, and takes the names when it is alone.
"""

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from tiamat.errors import ConfigError
from tiamat.system.pidfile import PidFile
from tiamat.system.private_socket import PrivateSocket

if TYPE_CHECKING:
    from tiamat.config import Config
    from tiamat.observe.log import Log


class File(Protocol):
    """What has a path, and whether the file there is still its own."""

    path: str

    @property
    def holds(self) -> bool: ...

    def rename(self, path: str) -> None: ...

    def remove(self) -> None: ...

    def close(self) -> None: ...


F = TypeVar("F", bound=File)


class Belonging(Generic[F]):
    """
    One file of the master's, as the settings want it.

    Args:
        name: what it is, in words.
        make: makes one at a path.
        path_of: where these settings want it; None for none.

    Attributes:
        file: it; None if it is not wanted.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[str], F],
        path_of: "Callable[[Config], str | None]",
    ) -> None:
        self.name = name
        self.make = make
        self.path_of = path_of
        self.file: F | None = None

    def of(self, config: "Config", suffix: str) -> F | None:
        """
        The file of these settings: a new one, if it is not the one we have.

        Args:
            config: the settings.
            suffix: what its name ends with beside that of an older master.

        Raises:
            ConfigError: it can't be had; the one we have stays.
        """
        path = self.path_of(config)
        if path is None:
            return None
        same = self.file is not None and self.file.path == path + suffix
        return self.file if same else self.make(path + suffix)

    def use(self, file: F | None) -> None:
        """Have this one from now on, and no other."""
        before, self.file = self.file, file
        if before is not None and before is not file:
            before.remove()

    def leave(self, file: F | None) -> None:
        """What was made for settings that are not to be."""
        if file is not None and file is not self.file:
            file.remove()

    def succeed(self, config: "Config", log: "Log") -> None:
        """The other master is gone, or serves no more: its path is ours."""
        path = self.path_of(config)
        if self.file is None or path is None:
            return
        try:
            if self.file.path != path:
                self.file.rename(path)
            elif not self.file.holds:  # a new master had the path, and is gone
                self.use(self.make(path))
        except (OSError, ConfigError) as error:
            log.error("can't have the %s: %s", self.name, error)

    def tidy_up(self, config: "Config", suffix: str) -> None:
        """Remove the file of a new master that has died."""
        path = self.path_of(config)
        if path is not None and os.path.exists(path + suffix):
            with contextlib.suppress(ConfigError):
                self.make(path + suffix).remove()

    def forget(self) -> None:
        """Leave the file to the master: in a process just forked."""
        if self.file is not None:
            self.file.close()


def pidfile() -> Belonging[PidFile]:
    """The file that names the master."""
    return Belonging("pid file", PidFile, lambda config: config.pidfile or None)


def entrance() -> Belonging[PrivateSocket]:
    """Where commands come in: the control socket."""
    return Belonging("control socket", PrivateSocket, control_path)


def control_path(config: "Config") -> str | None:
    """
    Where the control socket is, also for who changes the directory later.

    Raises:
        ConfigError: there is no usual place for it.
    """
    path = config.control_path()
    return None if path is None else os.path.abspath(path)
