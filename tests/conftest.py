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
