"""``tiamat``: serve an application, or look at the settings."""

import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Final

from tiamat.config import Config, application
from tiamat.errors import ConfigError, TiamatError

LIKELY: Final = ("app", "main", "wsgi", "application", "server")
"""Names of modules in which an application is likely to be found."""


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command; return its exit status.

    Args:
        argv: the arguments, without the command; by default the process's own.
    """
    try:
        return run(sys.argv[1:] if argv is None else argv)
    except TiamatError as error:
        say("error", str(error))
        from tiamat.master.reexec import report_failure

        report_failure(error)
        return error.exit_status


def run(arguments: Sequence[str]) -> int:
    """Read the settings, and do what they ask for."""
    import_module("tiamat.compat.shim").install()  # configuration files may need it
    config = Config.load(arguments, os.environ, start_directory())
    for warning in config.warnings:
        say("warning", warning)
    if config.print_config:
        print_config(config)
        if not config.check_config:
            return 0
    if config.app is None:
        raise ConfigError(no_application(config.chdir))
    config.enter()
    if config.check_config:
        return check_config(config)
    application.check(config)  # before anything is bound or forked

    from tiamat.master.arbiter import Arbiter

    return Arbiter(config).run()


def say(level: str, text: str) -> None:
    """Tell something to who gave the command."""
    print(f"tiamat: {level}: {text}", file=sys.stderr)


def start_directory() -> str:
    """Where the command was given; by the shell's name, which keeps symlinks."""
    try:
        real = os.getcwd()
    except OSError:
        raise ConfigError(
            "the current directory is gone; change to one that exists"
        ) from None
    shell = os.environ.get("PWD", "")
    try:
        return shell if os.path.samefile(shell, real) else real
    except OSError:
        return real


def print_config(config: Config) -> None:
    """Print every setting, and where its value comes from."""
    from tiamat.config import show

    try:
        print("\n".join(show.lines(config)), flush=True)
    except BrokenPipeError:  # `… | head`: enough was read
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def check_config(config: Config) -> int:
    """Print what is wrong, a line each; 0 if nothing is."""
    from tiamat.config.check import check
    from tiamat.workers import load_worker_class

    problems = 0
    for finding in check(config, load_worker_class):
        say("note" if finding.is_note else "error", finding.text)
        problems += not finding.is_note
    if problems:
        return 1
    print(
        f"tiamat: all is well: {config.app} on {', '.join(config.bind)},"
        f" {config.workers_in_words}"
    )
    return 0


def no_application(directory: str) -> str:
    """The complaint that there is no application, with a guess which is meant."""
    guess = next(likely_applications(directory), None)
    hint = f"; did you mean `tiamat {guess}`?" if guess else ""
    return (
        "no application: name it on the command line (`tiamat module:name`),"
        f" or as wsgi_app in the configuration file{hint}"
    )


def likely_applications(directory: str) -> Iterator[str]:
    """Modules in *directory* that may hold an application: Flask's, Django's."""
    for name in LIKELY:
        if os.path.isfile(os.path.join(directory, f"{name}.py")):
            yield name
    for name in sorted(os.listdir(directory)):
        if name.isidentifier() and os.path.isfile(
            os.path.join(directory, name, "wsgi.py")
        ):
            yield f"{name}.wsgi"
