"""Logs, pid file and addresses of a master: had, changed, left."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tiamat.config import Config
from tiamat.errors import BindError, ConfigError
from tiamat.master.listeners import Listeners
from tiamat.master.premises import RETRY, Patience, Premises
from tiamat.master.reexec import Succession
from tiamat.master.spawn import Plan
from tiamat.system.signals import Inbox
from tiamat.system.sockets import AddressInUse

Open = Callable[..., Premises]


@pytest.fixture
def premises(tmp_path: Path) -> Iterator[Open]:
    """Make the premises of settings, with a log in a file."""
    made: list[Premises] = []

    def make(**settings: object) -> Premises:
        premises = Premises(
            Config(errorlog=str(tmp_path / "error.log"), chdir=str(tmp_path))
        )
        premises.config.put("pidfile", settings.get("pidfile"), "the test")
        premises.open_log()
        made.append(premises)
        return premises

    yield make
    for one in made:
        one.close(0)
        one.log.close()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """An inbox for signals."""
    box = Inbox()
    box.catch([signal.SIGTERM, signal.SIGUSR1])
    yield box
    box.close()


def test_a_worker_class_that_is_not_known_is_no_premises() -> None:
    """Before anything is opened."""
    with pytest.raises(ConfigError, match="worker_class 'snyc' is not known"):
        Premises(Config(worker_class="snyc"))


def test_the_younger_of_two_masters_has_a_pid_file_of_its_own(
    premises: Open, tmp_path: Path
) -> None:
    """It ends with .2; once the old master is gone, the name is free for it."""
    path = tmp_path / "tiamat.pid"
    one = premises(pidfile=str(path))
    one.succession = Succession(predecessor=os.getppid())
    one.pidfile.use(one.pidfile.of(one.config, one.succession.suffix))

    assert (tmp_path / "tiamat.pid.2").exists()
    assert not path.exists()

    one.succession.predecessor = 0
    one.take_names()

    assert path.exists()
    assert not (tmp_path / "tiamat.pid.2").exists()


def test_other_settings_bring_another_log_and_other_addresses(
    premises: Open, tmp_path: Path
) -> None:
    """The address that is not named any more is closed, and its file removed."""
    one = premises()
    old, new = f"unix:{tmp_path / 'old'}", f"unix:{tmp_path / 'new'}"
    before = Config(bind=[old])
    after = Config(bind=[new], errorlog=str(tmp_path / "other.log"), chdir=os.getcwd())
    kind = one.plan.worker_class
    one.plan.listeners = Listeners({}).rebound(before, lambda error: False)
    plan = Plan(after, kind, one.plan.listeners.rebound(after, lambda error: False))
    one.settle(one.change(plan))
    one.log.info("here")

    assert (tmp_path / "other.log").read_text().endswith("here\n")
    assert [False, True] == [(tmp_path / name).exists() for name in ("old", "new")]


def test_a_log_that_can_not_be_had_any_more_leaves_all_as_it_was(
    premises: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings, log, directory, environment, pid file: the old ones are in force."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    path = tmp_path / "new.pid"
    one = premises()
    before = one.config
    after = Config(
        errorlog=str(tmp_path / "nowhere" / "log"),
        pidfile=str(path),
        raw_env=["TIAMAT_TEST=new"],
        chdir="/",
    )
    with pytest.raises(ConfigError, match="errorlog"):
        one.change(Plan(after, one.plan.worker_class, one.plan.listeners))
    one.log.info("here")

    assert before is one.config
    assert (tmp_path / "error.log").read_text().endswith("here\n")
    assert str(tmp_path) == os.getcwd()
    assert "TIAMAT_TEST" not in os.environ
    assert not path.exists()


def test_patience_ends(premises: Open, inbox: Inbox, tmp_path: Path) -> None:
    """One line says who holds the address; after so many seconds it is an error."""
    patience = Patience(premises().log, inbox, RETRY)
    error = AddressInUse("can't listen on 127.0.0.1:80: pid 1 does")

    assert patience(error)
    assert not patience(error)
    assert 1 == (tmp_path / "error.log").read_text().count("pid 1 does; trying for")


def test_a_signal_ends_the_wait_for_an_address(premises: Open, inbox: Inbox) -> None:
    """Who stops a server that is about to start does not wait for it."""
    patience = Patience(premises().log, inbox, 1000.0)
    os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(BindError, match="stopped by SIGTERM: in use"):
        patience(AddressInUse("in use"))
