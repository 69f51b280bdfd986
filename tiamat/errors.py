"""
The errors that a person hears about, each with the exit status of the command.

The statuses are gunicorn's, so that process managers keep their rules:
1 a setting, an address or the name of the application is wrong, 2 usage
(argparse), 3 the application failed while it was imported or started, 4 the
module is there but has no such application.
"""

from typing import ClassVar


class TiamatError(Exception):
    """Something that a person can mend; its text says what and how."""

    exit_status: ClassVar[int] = 1


class ConfigError(TiamatError):
    """A setting, or a configuration file, is wrong."""


class BindError(TiamatError):
    """An address can't be listened on."""


class TLSError(TiamatError):
    """A certificate, its key, or another part of TLS can't be used."""


class StartupError(TiamatError):
    """The application failed while it was imported or started."""

    exit_status = 3


class AppError(TiamatError):
    """There is no such application where we were told to look."""

    exit_status = 4
