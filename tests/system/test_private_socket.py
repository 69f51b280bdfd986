"""A Unix socket that only one user may use."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiamat.errors import ConfigError
from tiamat.system.private_socket import (
    Peer,
    PrivateSocket,
    found,
    peer_of,
    usual_path,
)


@pytest.fixture
def no_umask() -> Iterator[None]:
    """Nothing is taken away from the modes of new files, as with our default."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """The permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("no_umask")
def test_only_its_user_gets_in(tmp_path: Path) -> None:
    """Neither the socket nor a directory made for it is open to others."""
    one = PrivateSocket(str(tmp_path / "a" / "b" / "control"))

    assert 0o600 == mode(tmp_path / "a" / "b" / "control")
    assert 0o700 == mode(tmp_path / "a" / "b")
    assert 0o700 == mode(tmp_path / "a")

    one.remove()

    assert not (tmp_path / "a" / "b" / "control").exists()


@pytest.mark.usefixtures("no_umask")
def test_a_directory_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """It is somebody's who had a reason."""
    tmp_path.chmod(0o755)
    PrivateSocket(str(tmp_path / "control")).remove()

    assert 0o755 == mode(tmp_path)
    assert 0 == os.umask(0)


def test_the_peer_is_known(tmp_path: Path) -> None:
    """Process and user, from the kernel; and nobody is nobody."""
    one = PrivateSocket(str(tmp_path / "control"))

    assert one.accept() is None

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(one.path)
        accepted = one.accept()
        assert accepted is not None
        sock, peer = accepted

        assert Peer(os.getpid(), os.geteuid()) == peer
        assert peer == peer_of(client)
        assert not sock.getblocking()

        sock.close()
    one.remove()


def test_the_file_of_a_dead_server_is_replaced(tmp_path: Path) -> None:
    """That of a live one is not."""
    path = tmp_path / "control"
    PrivateSocket(str(path)).close()

    assert path.exists()

    one = PrivateSocket(str(path))
    with pytest.raises(ConfigError, match="control: a server answers there already"):
        PrivateSocket(str(path))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    one.remove()


def test_the_file_of_another_server_is_not_removed(tmp_path: Path) -> None:
    """Somebody has removed ours, so that another server could have the path."""
    path = tmp_path / "control"
    first = PrivateSocket(str(path))
    path.unlink()
    second = PrivateSocket(str(path))
    first.remove()

    assert path.exists()

    second.remove()

    assert not path.exists()


def test_a_server_that_is_busy_is_not_dead(tmp_path: Path) -> None:
    """So many wait in its backlog that nobody more gets in."""
    one = PrivateSocket(str(tmp_path / "control"))
    clients = []
    while True:
        clients.append(socket.socket(socket.AF_UNIX))
        clients[-1].setblocking(False)
        try:
            clients[-1].connect(one.path)
        except BlockingIOError:
            break
    with pytest.raises(ConfigError, match="a server answers there already"):
        PrivateSocket(one.path)
    for client in clients:
        client.close()
    one.remove()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("file", "something that is no socket"), ("x" * 200, "too long")],
)
def test_what_can_not_be_is_said(tmp_path: Path, name: str, reason: str) -> None:
    """A file stays a file."""
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ConfigError, match=reason):
        PrivateSocket(str(tmp_path / name))

    assert "precious" == (tmp_path / "file").read_text()


def test_a_file_that_moves_is_removed_where_it_is(tmp_path: Path) -> None:
    """A new master takes the name of the old one."""
    one = PrivateSocket(str(tmp_path / "control.2"))
    one.rename(str(tmp_path / "control"))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "control"))
    one.remove()

    assert [] == list(tmp_path.iterdir())


def test_the_usual_place_is_the_unit_s_or_the_session_s() -> None:
    """systemd's first; a name with a slash is one name."""
    both = {"RUNTIME_DIRECTORY": "/run/shop:/run/b", "XDG_RUNTIME_DIR": "/run/user/7"}

    assert "/run/shop/control" == usual_path(both, "app:app")
    assert "/run/user/7/tiamat/a_b" == usual_path(
        {"XDG_RUNTIME_DIR": "/run/user/7"}, "a/b"
    )
    assert usual_path({}, "app") is None


def test_sockets_are_found_where_they_usually_are(tmp_path: Path) -> None:
    """Files that are no sockets are none."""
    environ = {"RUNTIME_DIRECTORY": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    made = [
        PrivateSocket(str(tmp_path / "control")),
        PrivateSocket(str(tmp_path / "tiamat" / "app:app")),
    ]
    (tmp_path / "tiamat" / "file").touch()

    assert {one.path for one in made} <= {*found(environ)}
    assert str(tmp_path / "tiamat" / "file") not in found(environ)

    for one in made:
        one.remove()
