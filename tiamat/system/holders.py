"""Which processes hold an address: for the error that says it is in use."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path


def in_words(pids: Sequence[int]) -> str:
    """`` by process 4711 (nginx)``, or nothing when nobody is known."""
    if not pids:
        return ""
    named = ", ".join(f"{pid} ({process_name(pid)})" for pid in pids)
    return f" by process{'es' if len(pids) > 1 else ''} {named}"


def process_name(pid: int) -> str:
    """The short name of a process, or a question mark."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "?"


def tcp_inodes(port: int) -> set[str]:
    """The inodes of the sockets that listen on *port* (proc(5): /proc/net/tcp)."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for fields in rows(table):
            # local_address is HEX:PORT in hexadecimal, state 0A is TCP_LISTEN
            if len(fields) < 10 or fields[3] != "0A":
                continue
            if int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes


def unix_inodes(path: str) -> set[str]:
    """The inodes of the Unix sockets bound to *path* (proc(5): /proc/net/unix)."""
    wanted = path.replace("\0", "@")
    return {
        fields[6]
        for fields in rows("/proc/net/unix")
        if len(fields) > 7 and " ".join(fields[7:]) == wanted
    }


def rows(table: str) -> list[list[str]]:
    """The rows of a table under /proc, without its head; none elsewhere."""
    try:
        lines = Path(table).read_text(errors="replace").splitlines()[1:]
    except OSError:
        return []
    return [line.split() for line in lines]


def holders(inodes: set[str]) -> list[int]:
    """
    The processes that have one of these sockets open.

    Only those whose descriptors we may look at: our own, or all for root.
    """
    wanted = {f"socket:[{inode}]" for inode in inodes}
    found = []
    for entry in Path("/proc").glob("[0-9]*") if wanted else ():
        with contextlib.suppress(OSError):
            if any(target(fd) in wanted for fd in (entry / "fd").iterdir()):
                found.append(int(entry.name))
    return sorted(found)


def target(fd: Path) -> str:
    """What a descriptor is of; nothing if it was closed while we looked."""
    try:
        return os.readlink(fd)
    except OSError:
        return ""
