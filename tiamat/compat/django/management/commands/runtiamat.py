"""
``manage.py runtiamat [ADDRESS:PORT] [flags]``: serve the project.

The command becomes ``tiamat``, so that the master has none of the project's code and a
reload loads all of it again.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tiamat.config import Config
from tiamat.config.flags import add_flag


class Command(BaseCommand):  # type: ignore[misc]
    """The command, as ``manage.py`` finds it."""

    help = "Serves this project with Tiamat; the flags are tiamat's."
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        """All flags of ours but those that Django has for something else."""
        parser.add_argument("address", nargs="?", help="PORT, or ADDRESS:PORT")
        parser.add_argument(
            "--asgi", action="store_true", help="serve ASGI_APPLICATION instead"
        )
        group = parser.add_argument_group("tiamat")
        taken = parser._option_string_actions
        for setting in Config.settings.values():
            if setting.flags and not taken.keys() & {*setting.flags}:
                add_flag(group, setting)

    def handle(self, *args: Any, **options: Any) -> None:
        """Become the server."""
        command = [sys.executable, "-m", "tiamat", *arguments(options)]
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, command)  # noqa: S606  it is we who go on


def arguments(options: dict[str, Any]) -> Iterator[str]:
    """The command line that means the same."""
    yield application(asgi=options["asgi"])
    if options["address"]:
        yield f"--bind={bind(options['address'])}"
    # Where manage.py lies, Python finds the project.
    yield f"--pythonpath={sys.path[0] or os.getcwd()}"
    for name, setting in Config.settings.items():
        value = options.get(name)
        if not setting.flag or value is None or name == "pythonpath":
            continue
        if setting.kind.takes == "nothing":
            yield setting.flag
        else:
            values = value if isinstance(value, list) else [value]
            yield from (f"{setting.flag}={one}" for one in values)


def bind(address: str) -> str:
    """An address as Django writes it: ``8000``, ``0:8000``, ``example.org:80``."""
    host, _, port = address.rpartition(":")
    return f"{ {'': '127.0.0.1', '0': '0.0.0.0'}.get(host, host) }:{port}"  # noqa: S104


def application(*, asgi: bool) -> str:
    """The application that the project names: ``mysite.wsgi:application``."""
    name = "ASGI_APPLICATION" if asgi else "WSGI_APPLICATION"
    path = getattr(settings, name, None)
    if not path:
        raise CommandError(f"the project has no {name} in its settings")
    module, _, attribute = path.rpartition(".")
    return f"{module}:{attribute}"
