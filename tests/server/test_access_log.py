"""The access log of real servers."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from conftest import Serve
from kinds import KINDS
from running import open_files, wait_until


def entries(path: Path) -> list[dict[str, Any]]:
    """The objects in an access log so far; a line that is being written is none."""
    text = path.read_text() if path.exists() else ""
    return [
        json.loads(line) for line in text.splitlines(keepends=True) if line[-1:] == "\n"
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_each_worker_writes_lines_of_json(serve: Serve, kind: str) -> None:
    """With the times that its request had, by every class of workers."""
    name, *flags = KINDS[kind]
    server = serve(
        f"apps.varied:{name}",
        *("--access-logformat=json", "--access-logfile=access.log", *flags),
    )
    path = server.directory / "access.log"

    server.get("/?0.1")
    wait_until(lambda: entries(path), "the line is there")

    (found,) = entries(path)
    assert ("GET", "/", "0.1", 200) == tuple(
        found[key] for key in ("method", "path", "query", "status")
    )
    assert "127.0.0.1" == found["remote_addr"]
    assert found["bytes"] == len(str(found["pid"]))
    assert found["pid"] in server.workers()
    assert (0, 1) == (found["slot"], found["generation"])
    assert found["queue_time"] >= 0.0
    assert found["application_time"] >= 0.09
    assert found["duration"] >= 0.09


def test_lines_of_json_go_on_in_another_file_behind_usr1(serve: Serve) -> None:
    """Rotated as any access log."""
    server = serve(
        "apps.pid:app", "--access-logformat=json", "--access-logfile=access.log"
    )
    path = server.directory / "access.log"
    server.get("/before")
    wait_until(lambda: entries(path), "the first line is there")

    path.rename(server.directory / "old.log")
    server.signal(signal.SIGUSR1)
    # Master and worker, each when it is its turn.
    wait_until(
        lambda: all(
            str(path) in open_files(pid) for pid in (server.pid, *server.workers())
        ),
        "all have opened the file again",
    )
    server.get("/after")
    wait_until(lambda: entries(path), "the second line is there")

    assert ["/before"] == [e["path"] for e in entries(server.directory / "old.log")][:1]
    assert "/after" == entries(path)[0]["path"]
