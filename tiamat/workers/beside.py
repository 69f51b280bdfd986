"""
What a helper of the settings does in its own process: be a command, or run a function.

It leads a session, so that keys of a terminal are the master's alone, and so that
whatever it starts can be ended with it. It ends when the master does.
"""

import contextlib
import os
import signal
from collections.abc import Coroutine
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

from tiamat.config.helper_kinds import command
from tiamat.errors import TiamatError
from tiamat.gateways import loader
from tiamat.system import process

if TYPE_CHECKING:
    from tiamat.config import Config
    from tiamat.observe.log import Log

CANNOT_RUN: Final = 127
"""Exit status of a command that can't be run, as a shell's."""

IGNORED_BY_PYTHON: Final = (signal.SIGPIPE, signal.SIGXFSZ)
"""What Python ignores, and commands must not: it would outlive the exec."""


def be(
    name: str, what: str, config: "Config", log: "Log", output: int, master: int
) -> NoReturn:
    """
    Be a helper until it ends.

    Args:
        name: of it.
        what: a command, or ``module:function``.
        config: the settings, entered by this process.
        log: their logs.
        output: where a command prints to.
        master: the pid of the master, which may have ended by now.
    """
    status = 1
    try:
        os.setsid()
        process.set_privileges(config.user, config.group, initgroups=config.initgroups)
        with contextlib.suppress(OSError, AttributeError):  # not on Linux
            # Behind the privileges, which undo it.
            process.die_with_parent(master, signal.SIGTERM)
        if words := command(what):
            run_command(words, output)
        os.close(output)
        process.set_title(f"tiamat: helper {name} [{config.proc_name or config.app}]")
        status = run_function(name, what, config, log)
    except BaseException:
        log.exception("helper %s failed", name)
    finally:
        process.run_exit_functions()
        os._exit(status)


def run_command(words: list[str], output: int) -> NoReturn:
    """Be another program, whose output goes to *output*."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for number in IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(words[0], words)  # noqa: S606  no shell, on purpose
    except OSError as error:
        os.write(2, f"can't run {words[0]}: {error.strerror}\n".encode())
    os._exit(CANNOT_RUN)


def run_function(name: str, what: str, config: "Config", log: "Log") -> int:
    """Import a function, or a coroutine function, and call it; the exit status."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    def reopen(number: int, frame: FrameType | None) -> None:
        log.reopen()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGUSR1, reopen)
    if config.daemon:
        process.detach_output()
        log.detach()
    try:
        result = loader.load(what)()  # type: ignore[operator]  # it can be called
        if isinstance(result, Coroutine):
            import asyncio

            asyncio.run(result)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        log.error("helper %s: %s", name, error.code)
        return 1
    except TiamatError as error:
        log.error("helper %s: %s", name, error, exc_info=error.__cause__)
        return 1
    return 0
