"""What systemd hands over: sockets that it has bound (sd_listen_fds(3))."""

import os
from collections.abc import MutableMapping
from typing import Final

FIRST_FD: Final = 3  # SD_LISTEN_FDS_START

VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")


def listen_fds(environ: MutableMapping[str, str]) -> list[tuple[int, str]]:
    """
    The descriptors that systemd passed to this process, each with its name.

    The variables are taken out of *environ*, so that no process started from
    here believes that they were meant for it.

    Source: sd_listen_fds(3): LISTEN_PID must be our own pid; the descriptors
    begin at 3; a name that was not given is "unknown".
    """
    pid, count, names, _ = (environ.pop(variable, "") for variable in VARIABLES)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    named = names.split(":") if names else []
    named += ["unknown"] * (int(count) - len(named))
    return [(FIRST_FD + index, named[index]) for index in range(int(count))]
