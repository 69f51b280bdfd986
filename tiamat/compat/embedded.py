"""
Application objects of gunicorn's kind: their settings for our master, and their code.

Such an object has ``cfg``, ``reload()``, which makes ``cfg`` anew, and ``wsgi()``,
which each worker calls for what it serves.
"""

import contextlib
import os
import sys
from typing import Any

from tiamat.compat.gunicorn.errors import AppImportError
from tiamat.config import Config, application
from tiamat.config.sources import UNSET, Sources
from tiamat.errors import AppError, ConfigError, StartupError, TiamatError
from tiamat.gateways.loader import reason, without_ours


def ignored(program: Any) -> set[str]:
    """Settings of an object that we do nothing about: it has done so, or will not."""
    stays = not getattr(program, "goes_to_background", False)
    return {"config", "daemon"} if stays else {"config"}


class EmbeddedConfig(Config):
    """
    Our settings, of an application object that has said some of them.

    Attributes:
        program: the object.
        theirs: what is in its ``cfg`` while these are in force.
    """

    program: Any = None
    theirs: Any = None

    @classmethod
    def of(cls, program: Any) -> "EmbeddedConfig":
        """
        The settings that an object has now.

        Raises:
            ConfigError: something is wrong with them.
        """
        config = cls()
        config.program, config.theirs = program, program.cfg
        where = application.described(program)
        sources = Sources(
            sys.argv[1:],
            dict(os.environ),
            vars(program).get("started_in") or os.getcwd(),
            {
                name: value
                for name, value in program.cfg.given().items()
                if name in config.settings
                and not (value is None and config.settings[name].kind in UNSET)
                and name not in ignored(program)
            },
            loader=config.load_program,
            embedder=where,
            app=getattr(program, "app_uri", None) or where,
        )
        config.read(sources)
        return config

    def made_again(self) -> Config:
        """
        Let the object read its settings again; it keeps those that it has.

        Raises:
            ConfigError: it can't.
        """
        program = self.program
        try:
            with contextlib.chdir(self.sources.cwd):  # its paths may be relative
                program.reload()
            return self.of(program)
        except SystemExit as error:
            why = error.__context__ or f"it called sys.exit({error.code!r})"
            where = application.described(program)
            raise ConfigError(f"{where}.reload(): {why}") from None
        finally:
            program.cfg = self.theirs

    def load_program(self) -> object:
        """
        What the object serves; called in each worker, and in what forks them.

        Raises:
            AppError: it says that there is no such application.
            StartupError: its code failed.
        """
        self.program.cfg = self.theirs
        try:
            return self.program.wsgi()
        except TiamatError:
            raise
        except AppImportError as error:
            raise AppError(str(error)) from without_ours(error)
        except (Exception, SystemExit) as error:
            where = application.described(self.program)
            raise StartupError(
                f"{where} failed to load its application: {reason(error)}"
            ) from without_ours(error)
