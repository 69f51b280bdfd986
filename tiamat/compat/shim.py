"""
``import gunicorn`` in our processes, where no gunicorn is: our modules of its names.

Nothing of them is loaded until somebody asks. A module has two names then,
``gunicorn.config`` and ``tiamat.compat.gunicorn.config``, and is there once.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import CodeType, ModuleType
from typing import Any, Final

from tiamat.errors import ConfigError

NAME: Final = "gunicorn"

OURS: Final = f"tiamat.compat.{NAME}"

VARIABLE: Final = "TIAMAT_GUNICORN"
"""``shim`` in it: ours are meant, also where gunicorn is installed."""


class Aliases:
    """Loads a module of ours under a second name."""

    def __init__(self) -> None:
        self.specs: dict[str, ModuleSpec | None] = {}

    @staticmethod
    def target(name: str) -> ModuleSpec | None:
        """What is behind a name of gunicorn's, if we have it."""
        return find_spec(f"tiamat.compat.{name}")

    def spec(self, name: str) -> ModuleSpec | None:
        """What the import system has to know of a name, if we have it."""
        found = self.target(name)
        if found is None:
            return None
        package = found.submodule_search_locations is not None
        loader: Any = self
        return ModuleSpec(name, loader, origin=found.origin, is_package=package)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module of the other name, loaded."""
        module = import_module(f"tiamat.compat.{spec.name}")
        self.specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Undo what the import system did to the module: it is to stay itself."""
        alias = module.__name__.removeprefix("tiamat.compat.")
        module.__spec__ = self.specs.pop(alias)

    def get_code(self, name: str) -> CodeType | None:
        """The code of a module, for ``python -m``."""
        found = self.target(name)
        loader: Any = found.loader if found else None
        code: CodeType | None = loader.get_code(f"tiamat.compat.{name}")
        return code


class Root(Aliases):
    """Finds ``gunicorn``: another one if there is one, and ours otherwise."""

    forced = False
    asks = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        """What is to be loaded for ``gunicorn``."""
        if name != NAME or self.asks:
            return None
        return (None if self.forced else self.real()) or self.spec(name)

    def real(self) -> ModuleSpec | None:
        """
        What the others find.

        Not a directory that has no module in it: sites keep configuration in one of
        that name, and to a package that is installed it would give way, too.
        """
        self.asks = True  # some that are asked ask all of us in turn
        try:
            found = (finder.find_spec(NAME, None) for finder in sys.meta_path)
            return next((spec for spec in found if spec and spec.loader), None)
        finally:
            self.asks = False

    def exec_module(self, module: ModuleType) -> None:
        """From now on its parts are ours, too."""
        super().exec_module(module)
        put(PARTS)


class Parts(Aliases):
    """
    Finds what is in our ``gunicorn``, while that is the one that is imported.

    Otherwise the files would be found by the path of the package, and loaded again.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        """What is to be loaded for a module of ours."""
        if name.startswith(f"{NAME}.") and is_ours(sys.modules.get(NAME)):
            return self.spec(name)
        return None


ROOT: Final = Root()
PARTS: Final = Parts()


def is_ours(module: ModuleType | None) -> bool:
    """Whether a module is our ``gunicorn``."""
    return module is not None and module.__name__ == OURS


def install(force: bool = False) -> None:
    """
    From now on ``import gunicorn`` finds our modules, if there is no other.

    Args:
        force: also if there is another. ``TIAMAT_GUNICORN=shim`` in the environment
            means the same.

    Raises:
        ConfigError: ours are to be used, and the other one is imported already.
    """
    force = force or os.environ.get(VARIABLE) == "shim"
    there = sys.modules.get(NAME)
    if force and there is not None and not is_ours(there):
        raise ConfigError(
            f"gunicorn is imported already, from {there.__file__}: set"
            f" {VARIABLE}=shim in the environment of the command, or call"
            " tiamat.compat.shim.install(force=True) before"
        )
    ROOT.forced = ROOT.forced or force
    put(ROOT)


def hand_over() -> None:
    """
    Have ``gunicorn`` be ours: for a package of that name that is nothing itself.

    It calls this while it is loaded; the import goes on with what stands in its place.
    """
    sys.modules[NAME] = import_module(OURS)
    put(PARTS)


def put(finder: Root | Parts) -> None:
    """Have it asked before the path is looked at, behind all who watch imports."""
    if finder not in sys.meta_path:
        finders = enumerate(sys.meta_path)
        where = (number for number, one in finders if one is PathFinder)
        sys.meta_path.insert(next(where, len(sys.meta_path)), finder)
