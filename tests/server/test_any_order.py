"""Signals and commands in any order, as Hypothesis chooses them."""

import contextlib
import os
import random
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from asking import ctl, serve_all, workers_of
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)
from kinds import KINDS
from masters import masters, named_in, stop_all
from running import Load, Server, children, ended, wait_until

SETTINGS = """
workers = 2
reload_watch = 0
reexec_mode = "auto"
"""

CLIENTS = 2


class Master(RuleBasedStateMachine):
    """
    A server under load, and what is done to it.

    No step waits for what the one before has begun. At the end all must be as the last
    order wants it.

    Args:
        kind: its class of workers.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        name, *flags = KINDS[kind]
        self.code = f"from apps.troubled import {name} as app\n"
        self.home = tempfile.TemporaryDirectory()
        path = Path(self.home.name)
        self.pidfile, self.control = path / "pid", path / "c" / "control"
        (path / "site_of_test.py").write_text(self.code)
        flags += [f"--pid={self.pidfile}", f"--control-socket={self.control}"]
        self.server = Server(
            path, "site_of_test:app", *flags, bind="127.0.0.1:0", config=SETTINGS
        )
        for word in ("Traceback", "SIGKILL"):
            self.server.expect(word)
        self.server.wait_for_log("serves", times=2)
        self.kills = 0
        self.load = Load(self.server.address, "/wait?0.01", clients=CLIENTS)
        self.load.__enter__()

    @property
    def master(self) -> int:
        """Who has the names; it may be about to lose them."""
        return named_in(self.pidfile)

    def send(self, number: signal.Signals) -> None:
        """A signal to the master, which may have gone by now."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.master, number)

    # --- What is done -----------------------------------------------------------

    @rule(
        number=st.sampled_from(
            [signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1]
        )
    )
    def order(self, number: signal.Signals) -> None:
        """One that any master may get at any time."""
        self.send(number)

    @precondition(lambda self: len(masters(self.server)) < 4)
    @rule()
    def re_exec(self) -> None:
        """USR2; perhaps it is refused."""
        self.send(signal.SIGUSR2)

    @rule(seed=st.integers(0, 100))
    def kill_a_worker(self, seed: int) -> None:
        """Whichever, and whatever it does."""
        if workers := children(self.master):
            victim = random.Random(seed).choice(workers)
            if victim not in masters(self.server):
                self.kills += 1
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)

    @rule(count=st.integers(1, 3))
    def scale(self, count: int) -> None:
        """So many workers."""
        ctl(f"--socket={self.control}", "scale", str(count))

    @rule(slot=st.integers(0, 2))
    def restart(self, slot: int) -> None:
        """One of them; perhaps it is not there."""
        ctl(f"--socket={self.control}", "restart", str(slot))

    @rule()
    def break_the_code(self) -> None:
        """A reload of what does not load; mended later."""
        path = self.server.directory / "site_of_test.py"
        path.write_text("import no_such_module\n")
        done = ctl(f"--socket={self.control}", "reload", "--wait")
        path.write_text(self.code)

        assert done.returncode in {1, 3, 11, 13, 14}, done.stderr

    # --- What must hold -----------------------------------------------------------

    def settle(self) -> None:
        """Bring it to rest: one master, and as many workers as the settings say."""

        def is_alone() -> bool:
            alive = [pid for pid in masters(self.server) if not ended(pid)]
            return [self.master] == alive

        wait_until(is_alone, "there is one master")

        def is_reloaded() -> bool:
            return ctl(f"--socket={self.control}", "reload", "--wait").returncode == 0

        wait_until(is_reloaded, "a reload is committed")
        wait_until(lambda: serve_all(self.control, 2), "two workers serve")

    def teardown(self) -> None:
        """Look whether all is as it should be."""
        try:
            self.settle()
            pids = [worker["pid"] for worker in workers_of(self.control)]
            here, zombies = children(self.master), children(self.master, zombies=True)
            self.load.stop()
            named = self.master
        finally:
            self.load.stop()
            stop_all(self.server)
            self.server.close()
            self.home.cleanup()

        assert sorted(pids) == here
        assert [] == zombies
        assert named == masters(self.server)[-1] or ended(masters(self.server)[-1])
        assert not self.pidfile.exists()
        assert len(self.load.losses) <= self.kills * CLIENTS, self.load.losses


FEW = settings(
    max_examples=1,
    stateful_step_count=8,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)
MANY = settings(FEW, max_examples=12, stateful_step_count=30, derandomize=False)


def run(kind: str, how_much: settings) -> None:
    """Try it with one class of workers."""
    make: Any = partial(Master, kind)  # one for each example
    run_state_machine_as_test(make, settings=how_much)


linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@linux
def test_after_some_orders_all_is_as_it_should_be() -> None:
    """Always the same ones."""
    run("sync", FEW)


@linux
@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(1500)
def test_after_many_orders_all_is_as_it_should_be(kind: str) -> None:
    """Others each time."""
    run(kind, MANY)
