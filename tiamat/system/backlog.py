"""
The kernel's queue of a listener: its length, and closing its door to empty it.

A listener that is closed resets the connections in its queue. One that is emptied
first still gets new ones between the last ``accept`` and ``close``. So, before the
last stop, a packet filter that drops everything is attached: no handshake is
completed any more, the queue only gets shorter, and who comes too late is refused
or goes to the next server, as if nobody had listened.
"""

import array
import socket
import struct
import sys
from typing import Final

SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h

# One instruction of classic BPF, `return 0`: keep no byte of any packet.
# linux/filter.h: struct sock_filter { __u16 code; __u8 jt, jf; __u32 k; }
DROP_ALL: Final = struct.pack("HBBI", 0x06, 0, 0, 0)


# linux/tcp.h: struct tcp_info, eight bytes and then numbers of four.
TCP_INFO: Final = getattr(socket, "TCP_INFO", 11)
_UNACKED: Final = 24  # of a listener: connections in the queue
_LAST_DATA_RECV: Final = 52  # of a connection: milliseconds, since it began at most


def length(listener: socket.socket) -> int | None:
    """How many connections wait in the queue; None if the system does not tell."""
    return _info(listener, _UNACKED)


def waited(connection: socket.socket) -> float:
    """
    How many seconds ago the peer sent its last data, or connected if it sent none.

    Of a connection that was accepted just now: how long its request has waited for
    that. 0 if the system does not tell, as of Unix sockets.
    """
    return (_info(connection, _LAST_DATA_RECV) or 0) / 1000


def _info(sock: socket.socket, offset: int) -> int | None:
    if sys.platform != "linux" or sock.family == socket.AF_UNIX:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, offset + 4)
    except OSError:
        return None
    return int.from_bytes(info[offset:], sys.byteorder)


def refuse_new(listener: socket.socket) -> bool:
    """
    Let no new connection into the queue, for every process that shares it.

    Returns:
        Whether that is so now. It is TCP on Linux only; for a Unix socket the
        queue stays open.
    """
    if sys.platform != "linux" or listener.family == socket.AF_UNIX:
        return False
    program = array.array("B", DROP_ALL)
    # linux/filter.h: struct sock_fprog { unsigned short len; struct sock_filter *f; }
    filters = struct.pack("HP", len(DROP_ALL) // 8, program.buffer_info()[0])
    try:
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filters)
    except OSError:
        return False
    return True
