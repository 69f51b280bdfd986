"""The master as hooks see it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tiamat.config import Config
from tiamat.master.arbiter import Arbiter


@pytest.fixture
def arbiter(tmp_path: Path) -> Iterator[Arbiter]:
    """A master that has its logs and an address, and no workers."""
    config = Config(
        workers=3,
        bind=[f"unix:{tmp_path / 'sock'}"],
        errorlog=str(tmp_path / "error.log"),
        wsgi_app="shop:app",
    )
    arbiter = Arbiter(config)
    arbiter.premises.open_log()
    arbiter.premises.listen(arbiter.inbox)
    yield arbiter
    arbiter.premises.close(0)
    arbiter.keeper.selector.close()
    arbiter.inbox.close()
    arbiter.log.close()


def test_hooks_find_gunicorn_s_names(arbiter: Arbiter, tmp_path: Path) -> None:
    """Settings, logs, pid, addresses, workers: what hooks in the field use."""
    server = arbiter.server

    assert arbiter.premises.config is server.cfg
    assert arbiter.log is server.log
    assert os.getpid() == server.pid
    assert "shop:app" == server.app
    assert [str(tmp_path / "sock")] == server.address
    assert [f"unix:{tmp_path / 'sock'}"] == [li.url for li in server.LISTENERS]
    assert {} == server.WORKERS
    assert 3 == server.num_workers


def test_a_hook_may_say_how_many_workers_there_shall_be(arbiter: Arbiter) -> None:
    """At least one, and not more than there is room for."""
    arbiter.server.num_workers = 5
    assert 5 == arbiter.roster.target == arbiter.server.num_workers

    arbiter.server.num_workers = 0
    assert 1 == arbiter.roster.target
    assert (30.0, "shop:app", 0) == (
        arbiter.server.timeout, arbiter.server.proc_name, arbiter.server.worker_age,
    )  # fmt: skip


def test_hooks_may_keep_things_on_it(arbiter: Arbiter) -> None:
    """From one hook to the next."""
    server: Any = arbiter.server
    server.started = "yesterday"

    assert "yesterday" == server.started


def test_a_hook_is_called_with_its_arguments(arbiter: Arbiter) -> None:
    """And where there is none, nothing happens."""
    calls: list[tuple[object, ...]] = []
    hook = Config(child_exit=lambda server, worker: calls.append((server, worker)))
    arbiter.server.call("child_exit", 1, 2, config=hook)
    arbiter.server.call("child_exit", 3, 4)

    assert [(1, 2)] == calls


def test_a_hook_that_fails_is_logged_and_no_more(
    arbiter: Arbiter, tmp_path: Path
) -> None:
    """The log names the hook, with the traceback; the server goes on."""

    def when_ready(server: object) -> None:
        raise LookupError("no registry")

    arbiter.premises.config.put("when_ready", when_ready, "the test")
    arbiter.server.call("when_ready", arbiter.server)
    text = (tmp_path / "error.log").read_text()

    assert (
        f"[ERROR] the hook when_ready failed: LookupError: no registry ({__file__}"
        in text
    )
    assert text.endswith("LookupError: no registry\n")


def test_a_hook_that_exits_is_logged_and_no_more(
    arbiter: Arbiter, tmp_path: Path
) -> None:
    """sys.exit in a hook would leave the workers without a master."""

    def child_exit(server: object, worker: object) -> None:
        raise SystemExit(1)

    arbiter.server.call("child_exit", 1, 2, config=Config(child_exit=child_exit))

    assert (
        "child_exit failed: it called sys.exit(1)"
        in (tmp_path / "error.log").read_text()
    )
