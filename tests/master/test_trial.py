"""New settings are tried before they are read; whatever they do is survived."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tiamat.config import Config
from tiamat.errors import ConfigError
from tiamat.master.listeners import Listeners
from tiamat.master.spawn import Plan
from tiamat.master.trial import alarm, new_plan, read_and_complain
from tiamat.workers import load_worker_class

# Tries settings in a process without threads, and prints what is wrong with them.
TRIAL = """
import os, sys
from tiamat.config import Config
from tiamat.master.listeners import Listeners
from tiamat.master.spawn import Plan
from tiamat.master.trial import Trial
from tiamat.system.process import status_in_words
from tiamat.workers.sync import SyncWorker

config = Config.load(["--config=tiamat.conf.py", "app:app"], {}, os.getcwd())
with open("tiamat.conf.py", "w") as file:
    file.write(sys.argv[1])
trial = Trial(Plan(config, SyncWorker, Listeners({})), 0.0)
if "while" in sys.argv[1]:
    trial.kill()
pid, status = os.waitpid(trial.pid, 0)
print(trial.result(status_in_words(status)), end="")
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """What workers are made of, from a configuration file."""
    (tmp_path / "tiamat.conf.py").write_text("workers = 2\n")
    config = Config.load(["--config=tiamat.conf.py", "app:app"], {}, str(tmp_path))
    return Plan(config, load_worker_class("sync"), Listeners({}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workers = 3", ""),
        ("workers = 'many'", "workers"),
        ("worker_class = 'snyc'", "worker_class 'snyc' is not known"),
        ("import nowhere", "No module named 'nowhere'"),
        ("raise SystemExit(3)", "3"),
        ("import os; os._exit(3)", "was exited with status 3"),
        ("import os; os.abort()", "was killed by SIGABRT"),
        ("while True: pass", "was killed by SIGKILL"),
    ],
)
def test_whatever_a_trial_does_it_is_a_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    """Good settings have none; the others fail in a process of their own."""
    (tmp_path / "tiamat.conf.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", TRIAL, text],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    assert bool(expected) is bool(done.stdout)
    assert expected in done.stdout


def test_settings_that_can_be_read_have_no_complaint(
    plan: Plan, tmp_path: Path
) -> None:
    """As they are now, not as they were at the start."""
    assert "" == read_and_complain(plan)

    (tmp_path / "tiamat.conf.py").write_text("workers = -1\n")

    assert "workers" in read_and_complain(plan)


def test_a_new_plan_has_new_settings_and_new_addresses(
    plan: Plan, tmp_path: Path
) -> None:
    """The old plan stays what it was."""
    bind = f"unix:{tmp_path / 'sock'}"
    (tmp_path / "tiamat.conf.py").write_text(f"workers = 3\nbind = {bind!r}\n")
    new = new_plan(plan, 128)

    assert 3 == new.config.workers
    assert [bind] == list(new.listeners.by_bind)
    assert 2 == plan.config.workers
    assert [] == plan.listeners.all

    new.listeners.close()


def test_a_plan_that_can_not_be_had_is_one_error(plan: Plan, tmp_path: Path) -> None:
    """Whatever the file raised here, though its trial went well."""
    (tmp_path / "tiamat.conf.py").write_text("raise SystemExit(3)\n")

    with pytest.raises(ConfigError, match="3"):
        new_plan(plan, 128)


def test_more_workers_than_there_is_room_for_are_refused(
    plan: Plan, tmp_path: Path
) -> None:
    """The memory that workers share was made at the start; nothing is bound yet."""
    bind = f"unix:{tmp_path / 'sock'}"
    (tmp_path / "tiamat.conf.py").write_text(f"workers = 129\nbind = {bind!r}\n")

    with pytest.raises(ConfigError, match=r"workers = 129 is more than 128, the most"):
        new_plan(plan, 128)

    assert not (tmp_path / "sock").exists()


def test_the_alarm_ends_what_takes_too_long() -> None:
    """A loop in the configuration file is an error like others."""

    def hang() -> None:
        with alarm(0.01):
            while True:
                time.sleep(60)

    with pytest.raises(TimeoutError, match=r"not done in 0\.01 seconds"):
        hang()
