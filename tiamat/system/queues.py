"""What the kernel holds of a connection, in both directions."""

import fcntl
import select
import termios
from struct import Struct

_INT = Struct("i")


def readable(fileno: int) -> bool:
    """Whether something came that nobody has read, or the end; False if closed."""
    if fileno < 0:
        return False
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    return any(event & select.POLLIN for _, event in poll.poll(0))


def unsent(fileno: int) -> int:
    """
    How many bytes a socket took that the peer has not acknowledged; 0 if unknown.

    Source: tcp(7) and unix(7), SIOCOUTQ, which is TIOCOUTQ. Megabytes may wait there:
    of who takes a few kB each second nothing is seen without it, since a socket
    becomes writable when a third of its buffer is free.
    """
    try:
        count: int = _INT.unpack(
            fcntl.ioctl(fileno, termios.TIOCOUTQ, bytes(_INT.size))
        )[0]
    except (OSError, ValueError):  # closed, or another system
        return 0
    return count
