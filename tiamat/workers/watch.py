"""
Under ``reload``: a thread that tells the master which files have changed.

Watched are the files of all modules that the worker has loaded but those of Python
itself, the configuration file, and ``reload_extra_files``. While the application can't
be loaded, the Python files beside all of these count too, also new ones: the module
that it misses may be none of them.

One worker of each generation watches, the first. The old one goes on until the new
one serves, so what changes while the new one loads is not overlooked.

What has changed is seen by the dates of the files. Events of the system only say when
to look: they are not told of for some mounts, nor while more directories are added.
"""

import contextlib
import glob
import os
import sys
import sysconfig
import time
import traceback
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

try:
    from watchfiles import watch
except ImportError:  # then dates alone tell
    from tiamat.workers.polling import watch  # type: ignore[assignment]

from tiamat.system.messages import Changed
from tiamat.system.unpatched import unpatched

if TYPE_CHECKING:
    from tiamat.workers.base import Worker

INTERVAL: Final = 1.0
"""Seconds between two looks at the dates of all files."""

SHOWN: Final = 3
"""The most files that the log names."""

POLLING: Final = {"auto": None, "poll": True, "inotify": False}
"""By ``reload_engine``: whether dates are compared instead of waiting for events."""

PYTHON: Final = tuple(
    {sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")}
)
PACKAGES: Final = ("site-packages", "dist-packages")

Date: TypeAlias = tuple[int, int]


class Watch:
    """
    The files of one worker.

    Attributes:
        dates: of all files that are watched.
        listed: directories whose Python files are among them.
        patterns: of files that may come to be; all that they match are among them.
        failed: whether the application can't be loaded.
    """

    def __init__(self, worker: "Worker") -> None:
        cfg = worker.cfg
        self.worker = worker
        self.failed = False
        self.polling = POLLING[cfg.reload_engine]
        self.dates: dict[str, Date] = {}
        self.listed: set[str] = set()
        config = [cfg.sources.path] if cfg.sources.path else []
        extra = [os.path.abspath(path) for path in cfg.reload_extra_files]
        self.patterns = [path for path in extra if glob.has_magic(path)]
        for path in [*config, *extra, *self.matching()]:
            if path not in self.patterns:
                self.add(os.path.abspath(path))

    def add(self, path: str) -> None:
        """Watch one more file; it need not exist yet."""
        if path not in self.dates:
            self.dates[path] = date(path)

    def matching(self) -> list[str]:
        """The files that are there for the patterns."""
        found = (glob.glob(pattern, recursive=True) for pattern in self.patterns)
        return [path for paths in found for path in paths if os.path.isfile(path)]

    def add_modules(self) -> None:
        """Watch the files of all modules that were loaded meanwhile."""
        for path in files_of_modules():
            self.add(path)

    def fail(self, error: BaseException) -> None:
        """The application can't be loaded: watch what that may be mended by."""
        for path in files_of(error):
            self.add(path)
        self.new_neighbours()
        self.failed = True

    def start(self) -> None:
        """Begin to watch; the thread ends with the process."""
        unpatched("_thread", "start_new_thread")(self.run, ())

    # --- In the thread --------------------------------------------------------------

    def run(self) -> None:
        """Watch, by other means if the system does not tell of events."""
        while True:
            try:
                self.watch()
            except OSError as error:  # of inotify there is so much and no more
                if self.polling:
                    raise
                self.polling = True
                self.worker.log.warning(
                    "reload: the system tells of no changes, so dates are compared: %s",
                    error,
                )

    def watch(self) -> None:
        """Watch these directories, until there are more."""
        self.add_modules()
        directories = self.directories()
        looked_at = -INTERVAL
        for events in watch(
            *directories,
            watch_filter=None,
            rust_timeout=int(INTERVAL * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=self.polling,
            recursive=False,
            ignore_permission_denied=True,
        ):
            now = time.monotonic()
            soon = any(self.concerns(path) for _, path in events)
            if not soon and now < looked_at + INTERVAL * 0.9:
                continue  # a log, or something like it, is written here
            looked_at = now
            self.tell(self.changed())
            self.add_modules()
            if not self.directories() <= directories:
                return

    def directories(self) -> set[str]:
        """Where the files are: who replaces a file makes another one of its name."""
        found = {os.path.dirname(path) for path in list(self.dates)}
        found.add(self.worker.cfg.chdir)
        return {path for path in found if os.path.isdir(path)}

    def new_neighbours(self) -> list[str]:
        """Watch the Python files beside the others; those that came meanwhile."""
        found = []
        for directory in self.directories():
            known = directory in self.listed
            self.listed.add(directory)
            for path in python_files(directory):
                if known and path not in self.dates:
                    found.append(path)
                self.add(path)
        return found

    def concerns(self, path: str) -> bool:
        """Whether an event there is one to look at the dates for."""
        return path in self.dates or (self.failed and path.endswith(".py"))

    def changed(self) -> list[str]:
        """The files with another date than before."""
        found = self.new_neighbours() if self.failed else []
        for path in self.matching():
            self.dates.setdefault(path, (0, 0))  # one that is new has changed
        for path, before in list(self.dates.items()):
            now = date(path)
            if now != before:
                self.dates[path] = now
                found.append(path)
        return found

    def tell(self, paths: Iterable[str]) -> None:
        """Tell the master, if there is something to tell."""
        names = sorted(map(shortened, paths))
        if len(names) > SHOWN:
            names[SHOWN:] = [f"{len(names) - SHOWN} more"]
        if names:
            self.worker.send(Changed(", ".join(names)))


def date(path: str) -> Date:
    """When a file was changed, in nanoseconds, and its size; zeros if it is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def files_of_modules() -> Iterator[str]:
    """The files of all modules but Python's own."""
    for module in list(sys.modules.values()):
        path = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(path, str) and not is_python_s_own(path):
            yield os.path.abspath(path)


def python_files(directory: str) -> list[str]:
    """The Python files in a directory, if nothing is installed there."""
    if is_installed(directory):
        return []
    with contextlib.suppress(OSError):
        names = os.listdir(directory)
        return [f"{directory}/{name}" for name in names if name.endswith(".py")]
    return []


def is_python_s_own(path: str) -> bool:
    """Whether a file is of the standard library; packages are installed below it."""
    return path.startswith(PYTHON) and not is_installed(path)


def is_installed(path: str) -> bool:
    """Whether a file is of an installed package, which is loaded but seldom edited."""
    return any(name in path for name in PACKAGES)


def files_of(error: BaseException | None) -> Iterator[str]:
    """The files that an exception and its causes came through."""
    while error is not None:
        paths = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        if isinstance(error, SyntaxError) and error.filename:
            paths.append(error.filename)
        for path in map(os.path.abspath, paths):
            if os.path.isfile(path) and not is_python_s_own(path):
                yield path
        error = error.__cause__ or error.__context__


def shortened(path: str) -> str:
    """A path as people call it: relative, if it is below where we are."""
    here = os.getcwd() + os.sep
    return path.removeprefix(here)
