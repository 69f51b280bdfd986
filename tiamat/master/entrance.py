"""Where commands come in: the control socket, had, changed by a reload, and left."""

import contextlib
import os
from typing import TYPE_CHECKING

from tiamat.errors import ConfigError
from tiamat.system.private_socket import PrivateSocket

if TYPE_CHECKING:
    from tiamat.config import Config
    from tiamat.observe.log import Log


class Entrance:
    """
    The control socket that the settings ask for.

    Attributes:
        socket: it; None if commands are not wanted.
    """

    def __init__(self) -> None:
        self.socket: PrivateSocket | None = None

    def of(self, config: "Config", suffix: str) -> PrivateSocket | None:
        """
        The socket of these settings: a new one, if it is not the one we have.

        Args:
            config: the settings.
            suffix: what its name ends with beside that of an older master.

        Raises:
            ConfigError: it can't be had; the one we have stays.
        """
        path = config.control_path()
        if path is None:
            return None
        path = os.path.abspath(path + suffix)
        same = self.socket is not None and self.socket.path == path
        return self.socket if same else PrivateSocket(path)

    def use(self, socket: PrivateSocket | None) -> None:
        """Take commands here from now on, and nowhere else."""
        before, self.socket = self.socket, socket
        if before is not None and before is not socket:
            before.remove()

    def leave(self, socket: PrivateSocket | None) -> None:
        """What was made for settings that are not to be."""
        if socket is not None and socket is not self.socket:
            socket.remove()

    def succeed(self, config: "Config", log: "Log") -> None:
        """The other master is gone, or serves no more: its path is ours."""
        path = config.control_path()
        if self.socket is None or path is None:
            return
        try:
            if self.socket.path != os.path.abspath(path):
                self.socket.rename(path)
            elif not self.socket.holds:  # a new master had the path
                self.use(PrivateSocket(path))
        except (OSError, ConfigError) as error:
            log.error("can't have the control socket: %s", error)

    def tidy_up(self, config: "Config", suffix: str) -> None:
        """Remove the file of a new master that has died."""
        path = config.control_path()
        if path is not None and os.path.exists(path + suffix):
            with contextlib.suppress(ConfigError):
                PrivateSocket(path + suffix).remove()
