"""What tests of every floor may use."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dealing import dealt
from running import Server

Serve = Callable[..., Server]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Under ``scripts/soak`` tests with the highest limits come first."""
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
    if count and "soak" in config.option.markexpr.split():
        items[:] = dealt(items, count, limit)


def limit(item: pytest.Item) -> float:
    """How many seconds a test may take by a mark of its own; 0 if it has none."""
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark else 0.0


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """
    Start real servers: ``serve("apps.pid:app", "--workers=2", config="…")``.

    On the way out each is stopped, and nothing is left of it: no process, and in
    its log no traceback and no SIGKILL that the test has not announced.
    """
    servers: list[Server] = []

    def start(app: str = "apps.pid:app", *flags: str, **options: str) -> Server:
        directory = tmp_path / f"server-{len(servers)}"
        directory.mkdir(exist_ok=True)
        server = Server(directory, app, *flags, **options)
        servers.append(server)
        return server

    yield start
    failures = []
    for server in servers:
        try:
            server.close()
        except AssertionError as failure:
            failures.append(failure)
    if failures:
        raise failures[0]
