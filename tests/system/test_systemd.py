"""What systemd hands over, and what it hears of us."""

import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import LIMIT
from service_manager import Manager as Heard

from tiamat.system.systemd import STORED, Manager, listen_fds, store_name


def test_descriptors_come_with_their_names() -> None:
    """sd_listen_fds(3): they begin at 3; LISTEN_FDNAMES has a name for each."""
    environ = {
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": "2",
        "LISTEN_FDNAMES": "http:admin",
    }

    assert listen_fds(environ) == [(3, "http"), (4, "admin")]


def test_names_are_unknown_if_not_given() -> None:
    """A descriptor without a name is called "unknown", as by systemd."""
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}

    assert listen_fds(environ) == [(3, "unknown")]


def test_what_was_meant_for_another_process_is_left() -> None:
    """Descriptors are ours only if LISTEN_PID is."""
    assert listen_fds({"LISTEN_PID": "1", "LISTEN_FDS": "1"}) == []
    assert listen_fds({"LISTEN_FDS": "1"}) == []
    assert listen_fds({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"}) == []
    assert listen_fds({}) == []


def test_the_variables_are_taken_out() -> None:
    """No process that we start believes that the descriptors are meant for it."""
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x", "A": "b"}

    listen_fds(environ)

    assert environ == {"A": "b"}


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Heard]:
    """Who listens at a path, or at an abstract name."""
    name = str(tmp_path / "notify")
    heard = Heard(name if request.param == "file" else f"@tiamat-{os.getpid()}{name}")
    yield heard
    heard.close()


def test_what_is_told_arrives_in_one_datagram(manager: Heard) -> None:
    """Lines with newlines between them; the address is exact."""
    told = Manager(manager.address).tell("RELOADING=1", "MONOTONIC_USEC=1")
    manager.listen(1.0)

    assert told
    assert [(os.getpid(), "RELOADING=1\nMONOTONIC_USEC=1")] == manager.heard


def test_descriptors_go_with_it(manager: Heard) -> None:
    """FDSTORE=1 comes with what is to be kept."""
    reader, writer = os.pipe()
    Manager(manager.address).tell("FDSTORE=1", "FDNAME=x", fds=[reader])
    os.close(reader)
    manager.listen(1.0)
    os.write(writer, b"here")
    os.close(writer)

    assert b"here" == os.read(manager.stored["x"], 10)


def test_a_barrier_ends_when_the_manager_has_read(manager: Heard) -> None:
    """Whoever exits then was heard; who waits in vain goes on."""
    ours = Manager(manager.address)

    assert not ours.barrier(0.01)

    manager.listen(1.0)
    reading = threading.Thread(target=manager.wait_for, args=("BARRIER=1", 2))
    reading.start()

    assert ours.barrier(LIMIT)

    reading.join()


def test_nobody_who_listens_is_no_error(tmp_path: Path) -> None:
    """Without the variable, or if the manager is gone, nothing happens."""
    assert Manager().tell("READY=1")
    assert Manager().barrier(0.0)
    assert Manager(str(tmp_path / "nobody")).tell("READY=1")


def test_a_full_queue_is_for_later(tmp_path: Path) -> None:
    """The master does not wait for a manager that does not read."""
    manager = Heard.in_directory(tmp_path)
    ours = Manager(manager.address)
    told = [ours.tell("STATUS=x") for _ in range(1000)]
    manager.close()

    assert told[0]
    assert not told[-1]


def test_the_manager_s_variables_are_taken_out() -> None:
    """Workers and what an application starts can't speak for us."""
    environ = {
        "NOTIFY_SOCKET": "/run/x",
        "WATCHDOG_USEC": "3000000",
        "WATCHDOG_PID": str(os.getpid()),
        "FDSTORE": "16",
        "A": "b",
    }
    manager = Manager.from_environ(environ)

    assert ("/run/x", 3.0, 16) == (manager.address, manager.watchdog, manager.room)
    assert {"A": "b"} == environ


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("3000000", "", 3.0),
        ("3000000", "1", math.inf),
        ("", "", math.inf),
        ("0", "", math.inf),
        ("soon", "", math.inf),
    ],
)
def test_a_watchdog_is_fed_if_it_is_ours(usec: str, pid: str, seconds: float) -> None:
    """sd_watchdog_enabled(3): WATCHDOG_PID is our own pid, or not set."""
    manager = Manager.from_environ(
        {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}
    )

    assert seconds == manager.watchdog


def test_a_manager_outside_of_this_machine_is_not_told() -> None:
    """vsock: is for virtual machines."""
    assert "" == Manager.from_environ({"NOTIFY_SOCKET": "vsock:2:1234"}).address


def test_a_listener_s_name_in_the_store_is_one_that_systemd_takes() -> None:
    """The same for the same address; no colon, at most 255 characters."""
    long = "unix:/" + 300 * "x"

    assert store_name(long) == store_name(long) != store_name("127.0.0.1:8000")
    assert store_name(long).startswith(STORED)
    assert len(store_name(long)) < 255
    assert ":" not in store_name(long)
