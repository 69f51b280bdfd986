"""Addresses in and out of text; listeners bound, inherited and found in use."""

import errno
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tiamat.errors import BindError
from tiamat.system import sockets
from tiamat.system.listener import Listener, shares_port
from tiamat.system.sockets import AddressInUse

Listen = Callable[..., list[Listener]]
Foreign = Callable[[str], tuple[str, int]]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Listen on addresses until the test ends."""
    opened: list[Listener] = []

    def listener(*addresses: str, **options: object) -> list[Listener]:
        found = sockets.listen(addresses, 5, **options)  # type: ignore[arg-type]
        opened.extend(found)
        return found

    yield listener
    for one in opened:
        one.close()
        one.unlink()


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    """Let another process listen on an address; tell the real one, and its pid."""
    started: list[subprocess.Popen[str]] = []
    code = (
        "import sys; from tiamat.system import sockets;"
        "[listener] = sockets.listen(sys.argv[1:], 5);"
        "print(listener.text, flush=True); sys.stdin.read()"
    )

    def start(address: str) -> tuple[str, int]:
        other = subprocess.Popen(
            [sys.executable, "-c", code, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(other)
        assert other.stdout is not None
        return other.stdout.readline().strip(), other.pid

    yield start
    for other in started:
        other.communicate("")


def connects(address: object) -> bool:
    """Whether somebody listens at a Unix socket or a TCP address."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as client:
        client.settimeout(30)
        return client.connect_ex(address) == 0  # type: ignore[arg-type]


def test_a_tcp_listener_is_ready_for_workers(listen: Listen) -> None:
    """It does not block, is not passed on by accident, and sends without delay."""
    (listener,) = listen("127.0.0.1:0")

    sock = listener.sock
    assert connects(listener.address)
    assert not sock.getblocking()
    assert not sock.get_inheritable()
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert listener.fileno() == sock.fileno()


def test_accepted_sockets_inherit_nodelay(listen: Listen) -> None:
    """TCP_NODELAY on the listener is one system call less for each connection."""
    (listener,) = listen("127.0.0.1:0")

    with socket.create_connection(listener.address[:2]):
        accepted, _ = listener.sock.accept()

    with accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_empty_host_is_every_ipv4_address(listen: Listen) -> None:
    """``:PORT`` is 0.0.0.0, as in gunicorn, not whatever the resolver prefers."""
    (listener,) = listen(":0")

    assert listener.address[0] == "0.0.0.0"


def test_ipv6_and_ipv4_share_a_port(listen: Listen) -> None:
    """``[::]:P`` beside ``0.0.0.0:P`` are two sockets, not "in use"."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    (four,) = listen("0.0.0.0:0")
    port = four.address[1]
    try:
        (six,) = listen(f"[::]:{port}")
    except BindError as error:
        pytest.skip(f"no IPv6 here: {error}")

    assert f"http://[::]:{port}" == six.url


def test_one_address_that_fails_leaves_none_open(
    listen: Listen, foreign: Foreign, tmp_path: Path
) -> None:
    """Either all addresses are listened on, or nothing is left behind."""
    taken, _ = foreign("127.0.0.1:0")
    path = tmp_path / "x.sock"

    with pytest.raises(AddressInUse):
        listen(f"unix:{path}", taken)

    assert not path.exists()


def test_who_holds_a_port_is_named(listen: Listen, foreign: Foreign) -> None:
    """In use: by whom, with pid and name, and what to do."""
    taken, pid = foreign("127.0.0.1:0")
    name = Path(f"/proc/{pid}/comm").read_text().strip()

    with pytest.raises(AddressInUse) as caught:
        listen(taken)

    assert [pid] == caught.value.pids
    expected = (
        f"can't listen on {taken}: it is in use by process {pid} ({name});"
        " stop that server, or choose another address"
    )
    assert expected == str(caught.value)
    assert caught.value.exit_status == 1


def test_an_address_given_twice_is_told(listen: Listen, tmp_path: Path) -> None:
    """No waiting helps against oneself, so it is not the error to wait for."""
    (tcp, unix) = listen("127.0.0.1:0", f"unix:{tmp_path}/x.sock")

    for listener in (tcp, unix):
        with pytest.raises(BindError, match="this very process does already") as caught:
            listen(listener.text)
        assert not isinstance(caught.value, AddressInUse)


def test_a_foreign_address_is_explained(listen: Listen) -> None:
    """An address of another machine is an error that says so."""
    with pytest.raises(BindError, match="no interface of this machine has"):
        listen("203.0.113.113:0")


def test_a_foreign_name_is_explained(listen: Listen) -> None:
    """A name that nobody knows is an error that says so."""
    with pytest.raises(BindError, match=r"'no\.such\.invalid' is no address"):
        listen("no.such.invalid:0")


def test_a_name_that_cannot_be_one_is_explained(listen: Listen) -> None:
    """Also one that has no form in ASCII."""
    with pytest.raises(BindError, match=r"'ä\.\.b' is no address of this machine"):
        listen("ä..b:0")


def test_a_port_that_only_root_may_use_is_explained() -> None:
    """Permission denied comes with what to do about it."""
    error = sockets.tcp_error(OSError(errno.EACCES, "Permission denied"), "x:80", 80)

    assert "Permission denied; ports below 1024 need root" in str(error)


# --- Unix sockets -----------------------------------------------------------


def test_a_unix_socket_has_mode_and_owner(listen: Listen, tmp_path: Path) -> None:
    """The umask decides who may connect; the process keeps its own."""
    path = tmp_path / "x.sock"
    before = os.umask(0o022)

    owner = (os.geteuid(), os.getegid())
    (listener,) = listen(f"unix:{path}", umask=0o007, owner=owner)

    after = os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o770
    assert owner == (path.stat().st_uid, path.stat().st_gid)
    assert after == 0o022
    assert f"unix:{path}" == listener.url
    assert connects(str(path))


def test_the_socket_of_a_dead_server_is_replaced(
    listen: Listen, tmp_path: Path
) -> None:
    """What a killed server left behind does not stop the next start."""
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()

    listen(f"unix:{path}")

    assert connects(str(path))


def test_the_socket_of_a_live_server_is_refused(
    listen: Listen, foreign: Foreign, tmp_path: Path
) -> None:
    """A second server does not take the place of the first."""
    path = tmp_path / "x.sock"
    _, pid = foreign(f"unix:{path}")

    with pytest.raises(AddressInUse, match="a server answers there") as caught:
        listen(f"unix:{path}")

    assert [pid] == caught.value.pids
    assert connects(str(path))


def test_a_server_whose_backlog_is_full_is_alive(
    listen: Listen, tmp_path: Path
) -> None:
    """The probe does not take a busy server for a dead one, nor wait for it."""
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(path))
        busy.listen(0)
        with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
            for client in (one, two):
                client.setblocking(False)
                client.connect_ex(str(path))
            with pytest.raises(BindError):
                listen(f"unix:{path}")


def test_a_file_that_is_no_socket_is_left_alone(listen: Listen, tmp_path: Path) -> None:
    """A slip in a path never removes anybody's data."""
    path = tmp_path / "data"
    path.write_text("precious")

    with pytest.raises(BindError, match="something that is no socket"):
        listen(f"unix:{path}")

    assert path.read_text() == "precious"


def test_a_missing_directory_is_explained(listen: Listen, tmp_path: Path) -> None:
    """The directory of a Unix socket must be there."""
    with pytest.raises(BindError, match="make its directory first"):
        listen(f"unix:{tmp_path}/none/x.sock")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may give files away")
def test_a_socket_that_can_not_be_given_away_leaves_no_file(
    listen: Listen, tmp_path: Path
) -> None:
    """What fails behind the bind takes its file away."""
    path = tmp_path / "x.sock"

    with pytest.raises(BindError, match="only root gives files away"):
        listen(f"unix:{path}", owner=(0, 0))

    assert not path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_abstract_names_leave_no_file(listen: Listen, foreign: Foreign) -> None:
    """``unix:@NAME`` is shown as it was written, and refused when it is taken."""
    name = f"unix:@tiamat-test-{os.getpid()}"
    (listener,) = listen(name)
    assert name == listener.url
    assert listener.path is None
    listener.close()

    taken, pid = foreign(name)
    assert name == taken
    with pytest.raises(AddressInUse) as caught:
        listen(name)

    assert [pid] == caught.value.pids


# --- Inherited --------------------------------------------------------------


def test_a_descriptor_is_adopted(listen: Listen) -> None:
    """``fd://N`` takes over a socket that somebody else has bound."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = os.dup(server.fileno())
        (listener,) = listen(f"fd://{number}")

        assert listener.inherited
        assert server.getsockname() == listener.address
        assert not listener.sock.getblocking()


def test_a_bound_descriptor_begins_to_listen(listen: Listen) -> None:
    """A socket that is bound but does not listen yet does from now on."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))

    (listener,) = listen(f"fd://{sock.detach()}")

    assert connects(listener.address)


def test_a_descriptor_that_is_no_listener_is_refused() -> None:
    """The error says what the descriptor is not."""
    reader, writer = os.pipe()
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stream = socket.socket()
    try:
        with pytest.raises(BindError, match="it is not a socket"):
            sockets.adopt(reader)
        with pytest.raises(BindError, match="no listening socket"):
            sockets.adopt(datagram.fileno(), 5)
        with pytest.raises(BindError, match="no listening socket"):
            sockets.adopt(stream.fileno())
        with pytest.raises(BindError, match="was the descriptor passed on"):
            sockets.adopt(9999)
        assert stream.fileno() >= 0
    finally:
        os.close(reader)
        os.close(writer)
        datagram.close()
        stream.close()


def test_listeners_are_not_passed_to_programs(listen: Listen) -> None:
    """A program that the application starts does not keep the port."""
    (listener,) = listen("127.0.0.1:0")

    done = subprocess.run(
        [sys.executable, "-c", f"import os; os.fstat({listener.fileno()})"],
        close_fds=False,
        capture_output=True,
        check=False,
    )

    assert b"Bad file descriptor" in done.stderr


def test_a_port_can_be_shared_by_who_wants_it() -> None:
    """With one that did not ask for it, it is in use."""
    (first,) = sockets.listen(["127.0.0.1:0"], 1, reuse_port=True)
    second = sockets.listen_beside(first, 1)
    (alone,) = sockets.listen(["127.0.0.1:0"], 1)

    assert first.address == second.address
    assert shares_port(first)
    assert not shares_port(alone)
    with pytest.raises(BindError, match="this very process does already"):
        sockets.listen_beside(alone, 1)
    for listener in (first, second, alone):
        listener.close()
