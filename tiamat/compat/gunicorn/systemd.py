"""What systemd hands over, and what it is told, under gunicorn's names."""

import os
from typing import Any, Final

from tiamat.system.systemd import FIRST_FD, Manager
from tiamat.system.systemd import listen_fds as descriptors

SD_LISTEN_FDS_START: Final = FIRST_FD


def listen_fds(unset_environment: bool = True) -> int:
    """How many listeners systemd has passed to this process, from descriptor 3 on."""
    environ = os.environ if unset_environment else dict(os.environ)
    return len(descriptors(environ))


def sd_notify(state: str, logger: Any, unset_environment: bool = False) -> None:
    """
    Tell systemd something, if it has asked for that.

    Args:
        state: ``READY=1`` or the like.
        logger: the logs; nothing is said there.
        unset_environment: nobody that is started from here shall do so.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if unset_environment:
        os.environ.pop("NOTIFY_SOCKET", None)
    Manager(address).tell(state)
