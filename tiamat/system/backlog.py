"""
The kernel's queue of a listener: closing its door, so that it can be emptied.

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
