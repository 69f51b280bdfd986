"""What a new master inherits, and that it takes over without a gap."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Serve
from running import LIMIT, wait_until

from tiamat.errors import BindError, ConfigError
from tiamat.master.listeners import Listeners
from tiamat.master.reexec import (
    Inheritance,
    Succession,
    environment,
    inheritance,
    interpreter,
    report_failure,
)
from tiamat.system.channel import Channel
from tiamat.system.messages import Failed
from tiamat.system.systemd import store_name


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    """A socket that was given to us."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        fd = os.dup(sock.fileno())
        given = Listeners.from_predecessor({f"fd://{fd}": fd}, fixed=True)
        yield given
        given.close()


def test_a_new_master_finds_what_the_old_one_has(listeners: Listeners) -> None:
    """The environment says it, and is clean again once it was read."""
    environ = environment({"HOME": "/"}, listeners, 4711)

    assert Inheritance(4711, listeners.descriptors(), fixed=True) == inheritance(
        environ, []
    )
    assert {"HOME": "/"} == environ


def test_what_was_handed_to_the_old_master_is_not_handed_on(
    listeners: Listeners,
) -> None:
    """Variables of gunicorn's and systemd's were for it alone."""
    environ = environment(
        {
            "GUNICORN_PID": "1",
            "GUNICORN_FD": "7",
            "LISTEN_PID": "1",
            "LISTEN_FDS": "1",
            "TIAMAT_PID": "1",
            "TIAMAT_FDS": "{}",
        },
        listeners,
        4711,
    )

    assert {"TIAMAT_PID", "TIAMAT_FDS", "TIAMAT_CHANNEL"} == set(environ)
    assert listeners.descriptors() == json.loads(environ["TIAMAT_FDS"])["fds"]


def test_a_gunicorn_may_give_its_place_to_us() -> None:
    """Its descriptors are in the order of the addresses, if there are as many."""
    environ = {"GUNICORN_PID": "4711", "GUNICORN_FD": "5,6"}

    assert Inheritance(4711, {"a:1": 5, "a:2": 6}) == inheritance(
        dict(environ), ["a:1", "a:2"]
    )
    assert Inheritance(4711, {"fd://5": 5, "fd://6": 6}, fixed=True) == inheritance(
        dict(environ), ["a:1"]
    )


def test_systemd_s_sockets_are_found() -> None:
    """If they are for this process."""
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2"}

    assert Inheritance(systemd={3: "unknown", 4: "unknown"}) == inheritance(environ, [])


def test_what_systemd_has_kept_is_found_by_its_name() -> None:
    """Beside the sockets of a unit, whatever they are called."""
    name = store_name("a:1")
    environ = {
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": "2",
        "LISTEN_FDNAMES": f"http:{name}",
    }

    assert Inheritance(
        systemd={3: "http"}, stored={name: 4}, kept=[name]
    ) == inheritance(environ, [])


def test_what_systemd_keeps_is_known_to_a_new_master(listeners: Listeners) -> None:
    """It gives up what it does not want."""
    bound = Listeners.from_predecessor(
        {"a:1": os.dup(listeners.all[0].fileno())}, fixed=False
    )
    bound.all[0].stored = True
    found = inheritance(environment({}, bound, 4711), [])
    bound.close()

    assert [store_name("a:1")] == found.kept


def test_who_inherits_nothing_starts_afresh() -> None:
    """No old master, no listeners."""
    nothing = inheritance({"HOME": "/"}, ["a:1"])

    assert Inheritance() == nothing
    assert [] == nothing.listeners(["a:1"]).all


@pytest.mark.parametrize(
    "environ",
    [
        {"TIAMAT_PID": "4711", "TIAMAT_FDS": "not json"},
        {"TIAMAT_PID": "4711", "TIAMAT_FDS": "[]"},
        {"TIAMAT_PID": "4711", "TIAMAT_FDS": '{"fds": {}}'},
        {"TIAMAT_PID": "4711", "TIAMAT_FDS": '{"fds": [3], "fixed": false}'},
        {"TIAMAT_PID": "old", "TIAMAT_FDS": '{"fds": {}, "fixed": false}'},
        {"GUNICORN_PID": "4711", "GUNICORN_FD": "unix:/run/x"},
    ],
)
def test_an_inheritance_that_can_not_be_read_is_an_error(
    environ: dict[str, str],
) -> None:
    """It is quoted, and nothing is guessed."""
    with pytest.raises(BindError, match="can't read what an old master handed over"):
        inheritance(environ, [])


def test_what_is_no_channel_to_an_old_master_is_an_error() -> None:
    """The descriptor was closed on the way."""
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)

    with pytest.raises(BindError, match="no channel to the old master"):
        Succession.of(Inheritance(os.getppid(), channel=writer))


def test_a_master_that_is_gone_already_is_no_predecessor() -> None:
    """Who started us died before we looked; its end of the channel is of no use."""
    here, there = Channel.pair()
    fd = os.dup(there.fileno())
    there.close()
    succession = Succession.of(Inheritance(-1, channel=fd))

    assert succession.alone
    with pytest.raises(EOFError):
        here.receive()

    here.close()


def test_who_can_not_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are read before there is a log; nobody may wait for that."""
    here, there = Channel.pair()
    monkeypatch.setenv("TIAMAT_CHANNEL", str(there.sock.detach()))
    report_failure(ConfigError("timeout = 'soon'"))
    report_failure(ConfigError("once is enough"))

    assert Failed(1, "timeout = 'soon'") == here.receive()
    with pytest.raises(EOFError):
        here.receive()

    here.close()


@pytest.mark.parametrize(
    ("line", "python"),
    [
        ("#!/srv/site/bin/python\n", "/srv/site/bin/python"),
        ("#! /srv/site/bin/python", ""),
        ("#!/usr/bin/env python3\n", ""),
        ("import sys\n", ""),
        ("", ""),
    ],
)
def test_a_script_names_its_interpreter(line: str, python: str, tmp_path: Path) -> None:
    """In its first line; what has arguments is not looked into."""
    script = tmp_path / "tiamat"
    script.write_text(line)

    assert python == interpreter(["python", str(script), "app:app"])


def test_what_is_no_script_names_none(tmp_path: Path) -> None:
    """``python -m tiamat``, or a file that is gone."""
    assert "" == interpreter(["python", "-m", "tiamat"])
    assert "" == interpreter(["python"])
    assert "" == interpreter(["python", str(tmp_path / "gone")])


def test_the_watchdog_of_the_old_master_is_that_of_the_new_one(
    listeners: Listeners,
) -> None:
    """WATCHDOG_PID names who is to feed it; a stranger's stays."""
    ours = environment({"WATCHDOG_PID": "4711"}, listeners, 4711)
    other = environment({"WATCHDOG_PID": "1"}, listeners, 4711)

    assert str(os.getpid()) == ours["WATCHDOG_PID"]
    assert "1" == other["WATCHDOG_PID"]


def test_a_master_is_alone_or_one_of_two() -> None:
    """The younger one has a suffix until the older one is gone."""
    assert Succession().alone
    assert "" == Succession().suffix

    younger = Succession(predecessor=os.getppid())

    assert not younger.alone
    assert ".2" == younger.suffix
    assert not younger.predecessor_gone()

    orphan = Succession(predecessor=-1)

    assert orphan.predecessor_gone()
    assert not orphan.predecessor_gone()
    assert orphan.alone


def test_a_new_master_that_ends_leaves_the_old_one_alone() -> None:
    """Other processes that end are not meant."""
    succession = Succession()
    succession.successor = 4711

    assert not succession.reaped(4712)
    assert succession.reaped(4711)
    assert not succession.reaped(0)
    assert succession.alone


def test_usr2_starts_a_new_master_that_takes_over(serve: Serve) -> None:
    """The old one is stopped and the new one serves on the same socket."""
    server = serve("apps.pid:app", "--workers=1")
    before = server.get().text
    server.signal(signal.SIGUSR2)
    new = int(server.wait_for_log(r"a new master starts, pid (\d+)")[1])
    server.wait_for_log(r"\] worker 0 gen=1 pid=\d+ serves", times=2)
    server.signal(signal.SIGTERM)
    try:
        server.process.wait(LIMIT)
        wait_until(lambda: "the old master is gone" in server.log, "the place is free")
        after = server.get()
    finally:
        os.kill(new, signal.SIGTERM)

    assert 200 == after.status
    assert before != after.text


def test_a_new_master_that_is_no_good_is_stopped(serve: Serve) -> None:
    """The old one has served all the time, and can start another one."""
    server = serve("apps.pid:app", "--workers=1")
    before = server.get().text
    for time in (1, 2):
        server.signal(signal.SIGUSR2)
        new = int(server.wait_for_log(r"a new master starts, pid (\d+)", time)[1])
        server.wait_for_log(rf"\[{new}\] \[INFO\] worker 0 gen=1 pid=\d+ serves")
        os.kill(new, signal.SIGTERM)
        server.wait_for_log(r"the new master exited", time)

    assert before == server.get().text
