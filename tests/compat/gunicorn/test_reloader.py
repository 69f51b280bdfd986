"""Threads that say when a file has changed."""

import os
import queue
from pathlib import Path

from running import LIMIT

from tiamat.compat.gunicorn.reloader import Reloader, ReloaderBase, reloader_engines


def test_a_change_is_told(tmp_path: Path) -> None:
    """With the name of the file."""
    path = tmp_path / "file.txt"
    path.touch()
    told: queue.Queue[str] = queue.Queue()
    looked: queue.Queue[None] = queue.Queue()

    class Watched(Reloader):
        def dates(self) -> dict[str, float]:
            found = super().dates()
            looked.put(None)
            return found

    Watched([str(path)], 0.01, told.put).start()  # ends with the process
    looked.get(timeout=LIMIT)
    os.utime(path, (1, 1))

    assert str(path) == told.get(timeout=LIMIT)


def test_files_are_those_of_modules_and_more(tmp_path: Path) -> None:
    """Also those that patterns mean."""
    (tmp_path / "a.html").touch()
    reloader = ReloaderBase([str(tmp_path / "*.html")])
    reloader.add_extra_file("/etc/other")

    files = reloader.get_files()

    assert {__file__, str(tmp_path / "a.html"), "/etc/other"} <= {*files}


def test_there_are_gunicorns_names() -> None:
    """For the setting."""
    assert {"auto", "poll", "inotify"} == set(reloader_engines)
