"""What is done around each request, for those who want to hear of it."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tiamat.compat.request import RequestView
from tiamat.config import Config
from tiamat.observe.log import Log
from tiamat.workers.reporting import (
    make_access,
    make_finished,
    make_handle,
    make_pre_request,
    request_view,
)


def run(*arguments: object) -> None:
    """A gateway's ``run``."""


def worker(tmp_path: Path, *flags: str, access: bool = False) -> Any:
    """Something with the settings and the logs of a worker."""
    config = Config.load([*flags, "app:app"], {}, str(tmp_path))
    log = Log(accesslog=str(tmp_path / "access") if access else None)
    return SimpleNamespace(
        cfg=config, log=log, slot=3, generation=2, interfaces=("asgi",)
    )


def test_nothing_is_done_that_nobody_asked_for(tmp_path: Path) -> None:
    """Without an access log and hooks a request pays for neither."""
    nobody = worker(tmp_path)

    assert make_finished(nobody) is None
    assert make_pre_request(nobody) is None
    assert make_handle(nobody, run) is run


def test_times_are_taken_for_who_tells_them_only(tmp_path: Path) -> None:
    """The combined format has none of them, so the application is called as ever."""
    combined = worker(tmp_path, access=True)

    assert make_handle(combined, run) is run
    assert make_pre_request(combined) is None
    assert make_access(combined) is not None


def test_an_asgi_application_s_times_are_those_of_its_scope(tmp_path: Path) -> None:
    """What came before its call is the queue, and the rest is its own."""
    asgi = worker(tmp_path, "--access-logformat=json", access=True)
    request = SimpleNamespace(
        method="GET", target=b"/", version="1.1", fields={}, headers=[]
    )
    response = SimpleNamespace(status=200, sent=1, headers=())
    scope: dict[str, Any] = {}
    before: Any = make_pre_request(asgi)
    behind: Any = make_access(asgi)

    before(request, scope)
    behind(request, response, scope, ("", ""), 1000.0)
    asgi.log.close()

    entry = json.loads((tmp_path / "access").read_text())
    assert 0.0 <= entry["application_time"] < entry["queue_time"] <= 1000.0
    assert (3, 2) == (entry["slot"], entry["generation"])


def test_hooks_see_gunicorn_s_names() -> None:
    """The class is found by name, as one of the user's would be."""
    assert request_view() is RequestView
