"""Bound, adopted, handed on, closed: what becomes of the master's listeners."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiamat.config import Config
from tiamat.errors import BindError
from tiamat.master.listeners import Listeners
from tiamat.system.sockets import AddressInUse
from tiamat.system.systemd import store_name


def never(error: AddressInUse) -> bool:
    """Don't wait."""
    return False


def rebound(listeners: Listeners, *binds: str) -> Listeners:
    """The listeners of these addresses."""
    return listeners.rebound(Config(bind=list(binds)), never)


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Two addresses."""
    return [f"unix:{tmp_path / name}" for name in ("one", "two")]


@pytest.fixture
def given() -> Iterator[socket.socket]:
    """A socket that somebody else has bound."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def test_addresses_are_bound_in_the_order_of_the_setting(paths: list[str]) -> None:
    """An address that is named twice is bound once."""
    listeners = rebound(Listeners({}), paths[1], paths[0], paths[1])

    assert [paths[1], paths[0]] == [listener.text for listener in listeners.all]

    listeners.close()


def test_what_systemd_has_kept_is_taken_back(
    given: socket.socket, paths: list[str]
) -> None:
    """By the address that it was bound for; what is not wanted any more is closed."""
    keep, drop = os.dup(given.fileno()), os.dup(given.fileno())
    fds = {store_name(paths[0]): keep, store_name("unix:/gone"): drop}
    listeners = Listeners.from_store(fds, paths)

    assert [paths[0]] == list(listeners.by_bind)
    assert not listeners.all[0].inherited
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(drop)

    listeners.close()


def test_what_systemd_keeps_goes_on_taking_connections(paths: list[str]) -> None:
    """Its file stays too: both are for the next start."""
    listeners = rebound(Listeners({}), *paths)
    listeners.all[0].stored = True
    kept = listeners.all[0].sock.dup()
    listeners.refuse_new()
    listeners.close()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(paths[0].removeprefix("unix:"))
        kept.accept()[0].close()
    kept.close()

    assert not os.path.exists(paths[1].removeprefix("unix:"))


def test_what_is_bound_already_stays(paths: list[str]) -> None:
    """A reload keeps the socket, with the connections that wait there."""
    before = rebound(Listeners({}), paths[0])
    after = rebound(before, *paths)

    assert before.by_bind[paths[0]] is after.by_bind[paths[0]]
    assert [paths[1]] == list(after.without(before).by_bind)
    assert [] == before.without(after).all

    after.close()


def test_if_one_address_can_not_be_had_none_is_bound(
    paths: list[str], given: socket.socket
) -> None:
    """What was there already goes on, what is new is let go."""
    before = rebound(Listeners({}), paths[0])
    port = given.getsockname()[1]

    with pytest.raises(BindError, match=str(port)):
        rebound(before, *paths, f"127.0.0.1:{port}")

    assert os.path.exists(paths[0].removeprefix("unix:"))
    assert not os.path.exists(paths[1].removeprefix("unix:"))

    before.close()


def test_an_address_in_use_is_tried_again_while_one_may_wait(
    given: socket.socket,
) -> None:
    """It is bound as soon as it is free."""
    bind = "{}:{}".format(*given.getsockname())
    holder = subprocess.Popen(["sleep", "1000"], pass_fds=[given.fileno()])
    given.close()
    errors = []

    def wait(error: AddressInUse) -> bool:
        errors.append(str(error))
        holder.kill()
        holder.wait(30)
        return True

    listeners = Listeners({}).rebound(Config(bind=[bind]), wait)

    assert 1 == len(errors)
    assert bind in errors[0]
    assert [bind] == [listener.text for listener in listeners.all]

    listeners.close()


def test_closing_removes_the_files_that_are_ours(paths: list[str]) -> None:
    """Unless another master still serves there."""
    listeners = rebound(Listeners({}), *paths)
    files = [path.removeprefix("unix:") for path in paths]
    descriptors = listeners.descriptors()

    assert paths == list(descriptors)

    kept = Listeners.from_predecessor(
        {bind: os.dup(fd) for bind, fd in descriptors.items()}, fixed=False
    )
    listeners.close(unlink=False)

    assert [True, True] == [os.path.exists(file) for file in files]

    kept.close()

    assert [False, False] == [os.path.exists(file) for file in files]


def test_a_given_socket_stays_that_of_who_gave_it(given: socket.socket) -> None:
    """Also when it is handed on from master to master."""
    fd = os.dup(given.fileno())
    listeners = Listeners.from_predecessor({f"fd://{fd}": fd}, fixed=False)

    assert listeners.all[0].inherited
    assert not listeners.refuse_new()

    with socket.create_connection(given.getsockname(), timeout=30):
        pass

    listeners.close()


def test_systemd_s_sockets_are_what_is_listened_on(
    paths: list[str], given: socket.socket
) -> None:
    """The setting has no say then, now and on reloads."""
    listeners = Listeners.from_systemd({os.dup(given.fileno()): "http"})

    assert listeners is rebound(listeners, *paths)
    assert listeners.all[0].inherited

    listeners.close()


def test_our_own_queue_can_be_shut(paths: list[str]) -> None:
    """A stop lets nothing new in; who has sockets of others only is told so."""
    listeners = rebound(Listeners({}), paths[0])

    assert listeners.refuse_new()
    assert not Listeners({}).refuse_new()

    listeners.close()


def test_a_shared_port_has_a_socket_per_worker() -> None:
    """Made at a start, kept by every reload, and one address for people."""
    config = Config(bind=["127.0.0.1:0"], reuse_port=True, workers=3)
    first = Listeners({}).rebound(config, never)
    (url,) = first.urls("http")

    assert ["127.0.0.1:0", "127.0.0.1:0#1", "127.0.0.1:0#2"] == list(first.by_bind)
    assert 1 == len({listener.address for listener in first.all})
    for workers in (1, 9):
        other = Config(bind=["127.0.0.1:0"], reuse_port=False, workers=workers)
        assert first.by_bind == first.rebound(other, never).by_bind
    assert ["127.0.0.1:0"] == [
        bind for bind in first.by_bind if store_name(bind) in first.stored()
    ]
    fds = {bind: os.dup(fd) for bind, fd in first.descriptors().items()}
    second = Listeners.from_predecessor(fds, fixed=False)
    assert [url] == second.urls("http")

    second.close()
    first.close()


def test_a_unix_socket_is_one(tmp_path: Path) -> None:
    """There is nothing to share."""
    bind = f"unix:{tmp_path / 'one'}"
    config = Config(bind=[bind], reuse_port=True, workers=3)
    listeners = Listeners({}).rebound(config, never)

    assert [bind] == list(listeners.by_bind)

    listeners.close()
