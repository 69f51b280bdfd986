"""Which processes hold an address."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tiamat.system import holders

pytestmark = pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc"
)


def test_every_process_that_shares_a_listener_is_found() -> None:
    """A listener inherited by children is held by all of them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        child = subprocess.Popen(
            [sys.executable, "-c", "print(flush=True); input()"],
            pass_fds=[server.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with child:
            assert child.stdout is not None
            child.stdout.readline()
            inodes = holders.tcp_inodes(server.getsockname()[1])
            found = holders.holders(inodes)
            child.communicate(b"\n")

    assert sorted([os.getpid(), child.pid]) == found


def test_a_unix_socket_is_found_by_its_path(tmp_path: Path) -> None:
    """/proc/net/unix has the path, blanks and all."""
    path = str(tmp_path / "a b.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)

        assert [os.getpid()] == holders.holders(holders.unix_inodes(path))


def test_nobody_is_found_for_a_free_port() -> None:
    """Without a holder the words are empty, so a sentence goes on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, not listening
        port = bound.getsockname()[1]

        assert holders.tcp_inodes(port) == set()
    assert holders.holders(set()) == []
    assert holders.in_words([]) == ""


def test_several_holders_are_named_one_by_one() -> None:
    """Pids come with names, and a question mark for one that is gone."""
    name = holders.process_name(os.getpid())

    expected = f" by processes {os.getpid()} ({name}), 999999999 (?)"
    assert expected == holders.in_words([os.getpid(), 999999999])
