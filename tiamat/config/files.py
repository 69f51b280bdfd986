"""
Configuration files: found, executed, and each name traced to its line.

A file is Python and is executed as the module ``__config__``, as gunicorn does. A
``python:MODULE`` is found by Python's rules and then executed in the same way, not
imported, so that a reload reads it again.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import CodeType, ModuleType
from typing import Any, Final

from tiamat.errors import ConfigError

DEFAULTS: Final = ("tiamat.conf.py", "gunicorn.conf.py")
MODULE: Final = "__config__"


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """
    What a configuration file said.

    Attributes:
        name: as people wrote it, for the errors.
        path: where it was read.
        names: everything it defined at its top level.
        lines: where each of those was set; several if it depends on the run.
        imported: those of them that came by an import statement.
        read: every name that it makes use of.
        modules: what it imported: names to paths.
    """

    name: str
    path: str
    names: dict[str, Any]
    lines: dict[str, list[int]] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    modules: dict[str, str] = field(default_factory=dict)

    def origin(self, name: str) -> str:
        """Where *name* was set: ``tiamat.conf.py, line 12``."""
        lines = self.lines.get(name)
        if not lines:
            return self.name
        return f"{self.name}, line {' or '.join(map(str, lines))}"

    def note(self, name: str, line: int, nested: bool) -> None:
        """Note that *name* is set in *line*; for certain, unless it is nested."""
        if nested:
            self.lines.setdefault(name, []).append(line)
        else:
            self.lines[name] = [line]


def read_config_file(wanted: str, cwd: str) -> ConfigFile | None:
    """
    Execute the configuration file.

    Args:
        wanted: ``PATH``, ``file:PATH``, ``python:MODULE``, or "" for the default
            ones, which need not exist.
        cwd: what paths are relative to.

    Raises:
        ConfigError: it can't be read, or it failed.
    """
    if wanted.startswith("python:"):
        name = wanted.removeprefix("python:")
        return execute(wanted, find_module(name), name)
    if wanted:
        path = os.path.join(cwd, wanted.removeprefix("file:"))
        if not os.path.exists(path):
            raise ConfigError(f"the configuration file {path} does not exist")
        if os.path.isdir(path):
            raise ConfigError(f"the configuration file {path} is a directory")
        return execute(wanted.removeprefix("file:"), path, MODULE)
    for default in DEFAULTS:
        path = os.path.join(cwd, default)
        if os.path.isfile(path):
            return execute(default, path, MODULE)
    return None


def find_module(name: str) -> str:
    """The source file of the module *name*, found by Python's rules."""
    from importlib.util import find_spec

    try:
        spec = find_spec(name)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"can't find config python:{name}: {error}") from error
    if spec is None or not spec.has_location or spec.origin is None:
        raise ConfigError(
            f"can't find config python:{name}: no such module in Python's path"
        )
    return spec.origin


def execute(name: str, path: str, module_name: str) -> ConfigFile:
    """Execute the file at *path* as a module called *module_name*."""
    code, tree = compiled(name, path)
    module = ModuleType(module_name)
    module.__file__ = path
    if "." in module_name:
        module.__package__ = module_name.rpartition(".")[0]
    imported_before = set(sys.modules)
    replaced = sys.modules.get(MODULE)
    sys.modules[MODULE] = module
    try:
        exec(code, module.__dict__)  # noqa: S102  a configuration file is code
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if replaced is not None:
            sys.modules[MODULE] = replaced
        raise ConfigError(failure(name, path, error)) from error
    result = ConfigFile(name, path, public_names(module.__dict__))
    note_names(tree, result)
    for added in set(sys.modules) - imported_before - {MODULE}:
        file = getattr(sys.modules[added], "__file__", None)
        if isinstance(file, str):
            result.modules[added] = file
    return result


def compiled(name: str, path: str) -> "tuple[CodeType, Any]":
    """The code of the file at *path*, and its syntax tree."""
    import ast

    try:
        with open(path, "rb") as file:
            source = file.read()
        tree = ast.parse(source, path)
        return compile(tree, path, "exec"), tree
    except OSError as error:
        raise ConfigError(f"can't read {name}: {error.strerror}") from None
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        text = f": {error.text.strip()}" if error.text else ""
        raise ConfigError(f"{name}{line}: {error.msg}{text}") from None
    except ValueError as error:  # NUL bytes
        raise ConfigError(f"can't read {name}: {error}") from None


def failure(name: str, path: str, error: BaseException) -> str:
    """What an exception out of the file at *path* means, with the line there."""
    ours, last = None, None
    trace = error.__traceback__
    while trace is not None:
        last = (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        if last[0] == path:
            ours = trace.tb_lineno
        trace = trace.tb_next
    where = f"{name}, line {ours}" if ours else name
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SystemExit):
        what = f"it called sys.exit({error.code!r})"
    elif last and last[0] != path and not last[0].startswith("<"):
        what += f" (raised in {last[0]}, line {last[1]})"
    return f"{where}: {what}"


def public_names(names: Mapping[str, Any]) -> dict[str, Any]:
    """The names that may be settings."""
    return {name: value for name, value in names.items() if not name.startswith("_")}


def note_names(tree: Any, result: ConfigFile) -> None:
    """Note where the top level of *tree* sets names, and which names it reads."""
    import ast

    for statement in tree.body:
        note_statement(statement, False, result)
    result.read.update(
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    )


def note_statement(node: Any, nested: bool, result: ConfigFile) -> None:
    """
    Note the names that one statement sets.

    Args:
        node: the statement.
        nested: it stands in another one, so it may not have been reached.
        result: what is known about the file.
    """
    import ast

    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            result.note(name, node.lineno, nested)
            result.imported.add(name)
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        result.note(node.name, node.lineno, nested)
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            note_statement(child, True, result)
            continue
        for part in ast.walk(child):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                result.note(part.id, part.lineno, nested)
                result.imported.discard(part.id)
