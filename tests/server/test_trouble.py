"""Faults, one by one, under load: afterwards all is as before."""

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from asking import serve_all
from conftest import Serve
from kinds import KINDS
from masters import pid_in
from running import Load, Server, some_path, wait_until
from trouble import FAULTS, HERE, SETTINGS, WORKERS, Fault, Ground

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


FEW, MANY = 4, 40
"""Clients, half of which keep their connections."""


def cases() -> Iterator[ParameterSet]:
    """Every fault with every class and many clients in soak; here some, with few."""
    for name, fault in FAULTS.items():
        if name in HERE:
            yield pytest.param(fault, HERE[name], FEW, id=f"{name}-{HERE[name]}-few")
        for kind in KINDS:
            marks = pytest.mark.soak
            yield pytest.param(fault, kind, MANY, marks=marks, id=f"{name}-{kind}")


def begin(
    serve: Serve, tmp_path: Path, fault: Fault, kind: str, clients: int = FEW
) -> Ground:
    """A server whose workers serve, and clients that are not there yet."""
    name, *flags = KINDS[kind]
    code = f"from apps.troubled import {name} as app"
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "site_of_test.py").write_text(code)
    pidfile, control = tmp_path / "pid", tmp_path / "c" / "control"
    server = serve(
        "site_of_test:app",
        *(f"--pid={pidfile}", f"--control-socket={control}", *flags, *fault.flags),
        bind="127.0.0.1:0",
        config=SETTINGS,
    )
    for word in fault.expects:
        server.expect(word)
    server.wait_for_log("serves", times=WORKERS)
    path = "/wait?0.01" if clients == FEW else partial(some_path, "/wait")
    load = Load(server.address, path, clients)
    return Ground(server, code, pidfile, control, load)


def descriptors(server: Server) -> int:
    """How many the master has open."""
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def wait_until_as_before(ground: Ground, before: int) -> None:
    """Wait until as many workers serve as should, and nothing else is left."""
    server = ground.server
    wait_until(lambda: serve_all(ground.control, WORKERS), "workers as before")
    wait_until(lambda: not server.zombies(), "all are buried")
    wait_until(
        lambda: descriptors(server) <= before,
        "as many descriptors as before",
    )


@linux
@pytest.mark.parametrize(("fault", "kind", "clients"), [*cases()])
def test_after_a_fault_all_is_as_before(
    serve: Serve, tmp_path: Path, fault: Fault, kind: str, clients: int
) -> None:
    """
    Workers, zombies, descriptors, pid file, exit status; and a line says the cause.
    """
    ground = begin(serve, tmp_path, fault, kind, clients)
    server = ground.server
    before = descriptors(server)
    with ground.load as load:
        fault.do(ground)
        server.wait_for_log(fault.cause)
        wait_until_as_before(ground, before)
    with Load(ground.load.address) as later:
        later.wait_for_requests()
    named = pid_in(ground.pidfile)
    status = server.stop()

    assert not (fault.harmless and load.losses), load.losses
    assert [] == later.losses
    assert server.pid == named
    assert 0 == status
    assert not ground.pidfile.exists()


@linux
@pytest.mark.parametrize("cycles", [2, pytest.param(100, marks=pytest.mark.soak)])
def test_the_master_has_no_descriptor_more_after_many_cycles(
    serve: Serve, tmp_path: Path, cycles: int
) -> None:
    """Of a reload, and of a worker that is replaced: with a mold and without."""
    ground = begin(serve, tmp_path, FAULTS["kill the mold"], "sync")
    server = ground.server
    server.wait_for_log("mold gen=1 .*has loaded")
    before = descriptors(server)
    for _ in range(cycles):
        ground.ask("reload", "--wait")
        ground.ask("restart", "0")
        wait_until(lambda: serve_all(ground.control, WORKERS), "it is replaced")

    wait_until(lambda: descriptors(server) == before, "as many descriptors as before")
