"""From settings to what a driver needs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tiamat.config import Config
from tiamat.observe.log import Log
from tiamat.protocol.parser_httptools import Parser
from tiamat.workers.serving import FOREVER, make_service


def worker(tmp_path: Path, *flags: str) -> Any:
    """Something with the settings and the application of a worker."""
    config = Config.load([*flags, "app:app"], {}, str(tmp_path))
    log = Log()
    return SimpleNamespace(cfg=config, log=log, app=lambda *_: [], security=None)


def test_settings_become_limits_and_timeouts(tmp_path: Path) -> None:
    """
    What a person sets is what a connection gets; 0 is no timeout.
    """
    service = make_service(
        worker(
            tmp_path,
            "--limit-request-line=1000",
            "--limit-request-body=1M",
            "--keep-alive=5",
            "--write-timeout=0",
            "--min-body-rate=0",
        )
    )

    assert 1000 == service.limits.request_line
    assert 1 << 20 == service.limits.request_body
    assert 5.0 == service.timeouts.keepalive
    assert FOREVER == service.timeouts.write
    assert FOREVER == service.timeouts.body_grace
    assert Parser is service.parser


def test_nothing_follows_a_response_that_nobody_asked_for(tmp_path: Path) -> None:
    """
    Without an access log and hooks a request pays for neither.
    """
    assert make_service(worker(tmp_path)).finished is None
