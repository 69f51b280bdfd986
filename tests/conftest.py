"""What tests of every floor may use."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running import Server

Serve = Callable[..., Server]


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


UNPROVEN = (
    "drivers/test_aio", "drivers/test_blocking", "drivers/test_host",
    "drivers/test_pool",
    "drivers/test_waiting", "gateways/test_lifespan", "gateways/test_wsgi_socket",
    "server/test_choice", "server/test_websocket", "server/test_wsgi",
    "workers/test_asgi",
    "workers/test_auto", "workers/test_gevent", "workers/test_threads",
)  # fmt: skip
"""Modules that have not yet passed ten times in a row under load: only in the soak."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is not proven runs in ``scripts/soak`` alone; so do new workers."""
    for item in items:
        ways = item.name.partition("[")[2]
        if any(name in item.path.as_posix() for name in UNPROVEN) or (
            "threads" in ways or "gevent" in ways
        ):
            item.add_marker(pytest.mark.soak)
