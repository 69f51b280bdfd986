"""
The kernel's queue of a listener: its length, and closing its door to empty it.

A listener that is closed resets the connections in its queue. One that is emptied
first still gets new ones between the last ``accept`` and ``close``. So, before the
last stop, a packet filter is attached that drops what begins a handshake: nobody new
gets into the queue, handshakes that have begun are completed, and who comes too late
is refused or goes to the next server, as if nobody had listened.
"""

import array
import socket
import struct
import sys
from typing import Final

SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h

SYN: Final = 0x02  # RFC 9293, 3.1: the control bits, in byte 13 of a segment's header
ACK: Final = 0x10
_CONTROL_BITS: Final = 13

# Classic BPF. What a filter of a TCP socket sees begins with the TCP header. Those who
# are accepted later inherit the filter; it does them no harm, as it drops no ACK.
# linux/filter.h: struct sock_filter { __u16 code; __u8 jt, jf; __u32 k; }
DROP_SYN: Final = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, _CONTROL_BITS),  # BPF_LD | BPF_B | BPF_ABS
        (0x54, 0, 0, SYN | ACK),  # BPF_ALU | BPF_AND | BPF_K
        (0x15, 0, 1, SYN),  # BPF_JMP | BPF_JEQ | BPF_K: else, one further
        (0x06, 0, 0, 0),  # BPF_RET: keep no byte of it
        (0x06, 0, 0, 0xFFFFFFFF),  # BPF_RET: keep all
    )
)


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
    program = array.array("B", DROP_SYN)
    # linux/filter.h: struct sock_fprog { unsigned short len; struct sock_filter *f; }
    filters = struct.pack("HP", len(DROP_SYN) // 8, program.buffer_info()[0])
    try:
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filters)
    except OSError:
        return False
    return True
