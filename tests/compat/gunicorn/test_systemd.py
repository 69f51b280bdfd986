"""systemd, under gunicorn's names."""

import os
import socket
from pathlib import Path

import pytest

from tiamat.compat.gunicorn.systemd import listen_fds, sd_notify


def test_listeners_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """And are nobody else's then."""
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "2")

    assert [2, 2, 0] == [listen_fds(False), listen_fds(), listen_fds()]


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it has asked."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))

        sd_notify("READY=1", None, unset_environment=True)
        sd_notify("STATUS=never", None)

        assert b"READY=1" == sock.recv(100)
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(100)
