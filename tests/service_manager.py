"""A service manager's end of $NOTIFY_SOCKET, as systemd would hold it."""

import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

from running import LIMIT


class Manager:
    """
    Hears what a server says, keeps its descriptors, answers its barriers.

    Attributes:
        heard: all that was said, a datagram each, with the pid of who did.
        stored: the descriptors that it keeps, by name.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + address[1:] if address.startswith("@") else address)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.heard: list[tuple[int, str]] = []
        self.stored: dict[str, int] = {}

    @classmethod
    def in_directory(cls, directory: Path) -> "Manager":
        """One at a path of its own."""
        return cls(str(directory / "notify"))

    def wait_for(self, words: str, times: int = 1, pid: int = 0) -> str:
        """Wait until somebody (or *pid*) has said this; the datagram."""

        def found() -> list[str]:
            return [
                text
                for who, text in self.heard
                if words in text and (not pid or who == pid)
            ]

        self.wait_until(lambda: len(found()) >= times, f"{words!r} is said")
        return found()[times - 1]

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Listen until a condition holds."""
        deadline = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < deadline, f"never: {what}: {self.heard}"
            self.listen(0.05)

    def listen(self, seconds: float) -> None:
        """Take what was said, and wait for it for a moment."""
        self.sock.settimeout(seconds)
        size = socket.CMSG_SPACE(struct.calcsize("iII")) + socket.CMSG_SPACE(4 * 16)
        try:
            data, ancillary, _, _ = self.sock.recvmsg(65536, size)
        except TimeoutError:
            return
        who, fds = 0, []
        for _, kind, content in ancillary:
            if kind == socket.SCM_CREDENTIALS:
                who = struct.unpack("iII", content)[0]
            elif kind == socket.SCM_RIGHTS:
                fds += list(struct.unpack(f"{len(content) // 4}i", content))
        text = data.decode()
        self.heard.append((who, text))
        self.keep(dict(line.split("=", 1) for line in text.splitlines()), fds)

    def keep(self, said: dict[str, str], fds: list[int]) -> None:
        """Store or close the descriptors that came."""
        name = said.get("FDNAME", "stored")
        if "FDSTORE" in said and name not in self.stored:
            self.stored[name] = fds.pop()
        if "FDSTOREREMOVE" in said and name in self.stored:
            os.close(self.stored.pop(name))
        for fd in fds:
            os.close(fd)

    def said(self, *keys: str) -> list[str]:
        """The lines so far that begin with these keys, in their order."""
        return [
            line
            for _, text in self.heard
            for line in text.splitlines()
            if line.split("=")[0] in keys
        ]

    def close(self) -> None:
        """Listen no more."""
        self.sock.close()
        for fd in self.stored.values():
            os.close(fd)
        with contextlib.suppress(FileNotFoundError):
            if self.address.startswith("/"):
                os.unlink(self.address)
