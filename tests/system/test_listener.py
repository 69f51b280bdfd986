"""What a listener is: its address, and the file that it removes."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiamat.system.listener import Listener, prepared, shares_port


def bound(path: Path) -> Listener:
    """A listener on a Unix socket."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    return prepared(sock)


@pytest.fixture
def tcp() -> Iterator[Listener]:
    """A listener on a port that the system chose."""
    listener = prepared(socket.create_server(("127.0.0.1", 0)))
    yield listener
    listener.close()


def test_the_port_that_the_system_chose_is_shown(tcp: Listener) -> None:
    """With port 0 text and url have the real one."""
    port = tcp.sock.getsockname()[1]

    assert f"127.0.0.1:{port}" == tcp.text
    assert f"http://127.0.0.1:{port}" == tcp.url
    assert f"<Listener 127.0.0.1:{port}>" == repr(tcp)


def test_its_name_stands_behind_the_address(tcp: Listener) -> None:
    """As people have given it, whatever is spoken there."""
    tcp.name = "shop"

    assert f"https://{tcp.text} (shop)" == tcp.url_by("https")


def test_it_shares_no_port_that_nobody_wants_to_share(tcp: Listener) -> None:
    """SO_REUSEPORT is for who asks for it."""
    assert not shares_port(tcp)


def test_it_does_not_block_and_is_not_passed_on(tcp: Listener) -> None:
    """Neither does a worker hang in accept, nor does a program keep the port."""
    assert not tcp.sock.getblocking()
    assert not tcp.sock.get_inheritable()


def test_a_file_of_our_own_is_removed(tmp_path: Path) -> None:
    """A stopped server leaves no socket file behind."""
    path = tmp_path / "x.sock"
    ours = bound(path)

    ours.close()
    ours.unlink()

    assert not path.exists()


def test_only_our_own_file_is_removed(tmp_path: Path) -> None:
    """A socket that another server has put in our place stays."""
    path = tmp_path / "x.sock"
    ours = bound(path)
    path.unlink()
    other = bound(path)

    ours.unlink()

    assert path.exists()
    for listener in (ours, other):
        listener.close()


def test_a_file_that_systemd_keeps_is_not_removed(tmp_path: Path) -> None:
    """It is needed by our next start."""
    path = tmp_path / "x.sock"
    ours = bound(path)
    ours.stored = True

    ours.close()
    ours.unlink()

    assert path.exists()


def test_an_inherited_file_is_not_removed(tmp_path: Path) -> None:
    """The socket file of systemd is systemd's to remove."""
    path = tmp_path / "x.sock"
    sock = bound(path).sock
    theirs = Listener(sock, inherited=True)

    theirs.close()
    theirs.unlink()

    assert path.exists()
