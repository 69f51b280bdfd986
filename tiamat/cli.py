"""``tiamat``: serve an application, or look at the settings."""

import os
import sys
from collections.abc import Sequence

from tiamat.config import Config
from tiamat.errors import ConfigError, TiamatError


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command; return its exit status.

    Args:
        argv: the arguments, without the command; by default the process's own.
    """
    try:
        return run(sys.argv[1:] if argv is None else argv)
    except TiamatError as error:
        print(f"tiamat: error: {error}", file=sys.stderr)
        return error.exit_status


def run(arguments: Sequence[str]) -> int:
    """Read the settings, and do what they ask for."""
    config = Config.load(arguments, os.environ, start_directory())
    for warning in config.warnings:
        print(f"tiamat: warning: {warning}", file=sys.stderr)
    if config.app is None:
        raise ConfigError(
            "no application; name it on the command line (tiamat module:name),"
            " or as wsgi_app in tiamat.conf.py"
        )
    config.enter()

    from tiamat.master.arbiter import Arbiter

    return Arbiter(config).run()


def start_directory() -> str:
    """Where the command was given; by the shell's name, which keeps symlinks."""
    shell, real = os.environ.get("PWD", ""), os.getcwd()
    try:
        return shell if os.path.samefile(shell, real) else real
    except OSError:
        return real
