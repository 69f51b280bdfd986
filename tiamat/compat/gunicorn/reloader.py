"""Threads that say when a file has changed, for worker classes that start one."""

import glob
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

from tiamat.compat.gunicorn.util import is_glob_pattern

COMPILED_EXT_RE: Final = re.compile(r"py[co]$")

has_inotify = False
"""Whether the package of that name is used: the dates of files do."""


class ReloaderBase(threading.Thread):
    """
    Knows which files there are.

    Args:
        extra_files: beside those of the modules; may be patterns.
        interval: between two looks, in seconds.
        callback: called with the name of a file that has changed.
    """

    def __init__(
        self,
        extra_files: Iterable[str] | None = None,
        interval: float = 1,
        callback: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(name="reloader", daemon=True)
        self._extra = set(extra_files or ())
        self._interval = interval
        self._callback = callback

    def add_extra_file(self, filename: str) -> None:
        """Look at one more."""
        self._extra.add(filename)

    def get_files(self) -> list[str]:
        """All that are looked at; those that patterns mean now."""
        modules = (getattr(one, "__file__", None) for one in [*sys.modules.values()])
        names = {COMPILED_EXT_RE.sub("py", name) for name in modules if name}
        for one in self._extra:
            names.update(
                glob.glob(one, recursive=True) if is_glob_pattern(one) else [one]
            )
        return sorted(names)


class Reloader(ReloaderBase):
    """Looks at the dates of the files."""

    def run(self) -> None:
        """Look as long as the process lives."""
        known = self.dates()
        wait = threading.Event().wait
        while not wait(self._interval):
            now = self.dates()
            for name, date in now.items():
                if self._callback and known.get(name, date) != date:
                    self._callback(name)
            known = now

    def dates(self) -> dict[str, float]:
        """When each file was changed."""
        found = {}
        for name in self.get_files():
            try:
                found[name] = os.stat(name).st_mtime
            except OSError:
                continue
        return found


class InotifyReloader(Reloader):
    """The same, under the other name."""

    def __init__(
        self,
        extra_files: Iterable[str] | None = None,
        callback: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(extra_files, callback=callback)


preferred_reloader = Reloader

reloader_engines: dict[str, Any] = {
    "auto": Reloader,
    "poll": Reloader,
    "inotify": InotifyReloader,
}
