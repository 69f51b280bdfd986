"""
From ``module:name`` to the application, with errors that say what is there.

A specification is ``module``, ``module:name``, ``module:name.attribute`` or
``module:factory("literal", key=1)``. Without a name it is ``application``, or else
``app``.
"""

import importlib
import os
import sys
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any, Final, TypeAlias

from tiamat.errors import AppError, StartupError

DEFAULT_NAMES: Final = ("application", "app")

OURS: Final = (os.path.dirname(os.path.dirname(__file__)), importlib.__file__)
"""Files and folders whose lines in a traceback tell nothing about the user's code."""

Call: TypeAlias = tuple[list[Any], dict[str, Any]]
"""The arguments of a factory, positional and by name."""


@dataclass(frozen=True, slots=True)
class Spec:
    """
    Where an application is.

    Attributes:
        text: as it was written.
        module: the name of the module.
        name: the attribute in it, perhaps dotted; "" for the default ones.
        call: the arguments, positional and by name, if it is a factory.
    """

    text: str
    module: str
    name: str = ""
    call: Call | None = None


def parse_spec(text: str) -> Spec:
    """
    Read a specification.

    Raises:
        AppError: it can't be read; the text says how it is written.
    """
    module, colon, rest = text.strip().partition(":")
    rest = rest.strip()
    if not module or (colon and not rest):
        raise AppError(f"{text!r} names no application; write module:name")
    if module.endswith(".py") or "/" in module:
        dotted = module.removeprefix("./").removesuffix(".py").replace("/", ".")
        meant = f"{dotted}:{rest}" if rest else dotted
        raise AppError(f"{text!r} names a file; did you mean {meant!r}?")
    if not is_dotted(module):
        raise AppError(f"{text!r}: {module!r} is no name of a module")
    name, call = parse_call(text, rest) if "(" in rest else (rest, None)
    if rest and not is_dotted(name):
        raise AppError(f"{text!r}: {name!r} is no name; write module:name")
    return Spec(text.strip(), module, name, call)


def is_dotted(name: str) -> bool:
    """Whether it is a name, or names with points between them."""
    return all(part.isidentifier() for part in name.split("."))


def parse_call(text: str, rest: str) -> tuple[str, Call]:
    """The name and the arguments of ``factory("literal", key=1)``."""
    import ast

    try:
        call = ast.parse(rest, mode="eval").body
    except SyntaxError:
        raise AppError(f"{text!r}: can't read {rest!r} as a call") from None
    if not isinstance(call, ast.Call):
        raise AppError(f"{text!r}: {rest!r} is not a call of a function")
    try:
        positional = [ast.literal_eval(node) for node in call.args]
        named = {
            argument.arg: ast.literal_eval(argument.value)
            for argument in call.keywords
            if argument.arg is not None
        }
        if len(named) != len(call.keywords):  # **more
            raise ValueError
    except ValueError:
        raise AppError(
            f"{text!r}: the arguments must be literals, like 'text', 1, True or [1, 2]"
        ) from None
    return ast.unparse(call.func), (positional, named)


def load(text: str) -> object:
    """
    Import the application.

    Raises:
        AppError: there is no such attribute, or it can't be called.
        StartupError: the module can't be imported, or the factory failed. If
            it was code of the user's that failed, ``__cause__`` is the exception,
            for the log.
    """
    spec = parse_spec(text)
    app = find(load_module(spec), spec)
    if spec.call is not None:
        app = make(app, spec)
    if not callable(app):
        raise AppError(f"{spec.text!r} is no application but {described(app)}")
    return app


# --- Steps ------------------------------------------------------------------


def load_module(spec: Spec) -> ModuleType:
    """Import the module of *spec*, and tell its absence from its failure."""
    try:
        return importlib.import_module(spec.module)
    except (Exception, SystemExit) as error:
        missing = getattr(error, "name", None) or ""
        if isinstance(error, ModuleNotFoundError) and (
            spec.module == missing or spec.module.startswith(f"{missing}.")
        ):
            raise StartupError(no_module(spec, missing)) from None
        raise StartupError(
            f"{spec.module!r} failed while it was imported: {reason(error)}"
        ) from without_ours(error)


def find(module: ModuleType, spec: Spec) -> Any:
    """The attribute that *spec* names, or one of the default ones."""
    if not spec.name:
        for name in DEFAULT_NAMES:
            if hasattr(module, name):
                return getattr(module, name)
        raise AppError(
            f"module {spec.module!r} has neither 'application' nor 'app'"
            + (has_submodule(module) or could_be_meant(module))
        )
    found: Any = module
    owner = spec.module
    for part in spec.name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            kind = "module" if found is module else "object"
            raise AppError(
                f"{kind} {owner!r} has no attribute {part!r}"
                + (nearest(found, part, spec) or could_be_meant(module))
            ) from None
        owner = f"{owner}.{part}"
    return found


def make(factory: Any, spec: Spec) -> object:
    """Call the factory with the arguments of *spec*."""
    positional, named = spec.call or ([], {})
    if not callable(factory):
        what = described(factory)
        raise AppError(f"{spec.text!r}: {spec.name!r} is no factory but {what}")
    try:
        return factory(*positional, **named)
    except (Exception, SystemExit) as error:
        raise StartupError(f"{spec.text!r} failed: {reason(error)}") from without_ours(
            error
        )


# --- What went wrong, in words ----------------------------------------------


def no_module(spec: Spec, missing: str) -> str:
    """There is no module *missing*: where we looked, and what was meant, perhaps."""
    import difflib  # seldom, and large

    here = sys.path[0] if sys.path else "."
    here = here or os.getcwd()
    try:
        names = [name.partition(".")[0] for name in os.listdir(here)]
    except OSError:
        names = []
    near = difflib.get_close_matches(spec.module, names, 1, 0.7)
    name = f":{spec.name}" if spec.name else ""
    hint = f"; did you mean {near[0] + name!r}?" if near else ""
    return f"no module named {missing!r} (looked in {here} and Python's path){hint}"


def reason(error: BaseException) -> str:
    """What an exception says, and the last line of Python that it came from."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<frozen"):
            place = f" ({file}, line {trace.tb_lineno})"
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({error.filename}, line {error.lineno})"
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r}){place}"
    text = f": {error}" if str(error) else ""
    return f"{type(error).__name__}{text}{place}"


def without_ours(error: BaseException) -> BaseException:
    """The same exception; its traceback begins with the first line of the user's."""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith((*OURS, "<frozen")):
            return error.with_traceback(trace)
        trace = trace.tb_next
    return error.with_traceback(None)  # SyntaxError: the user's code never ran


def nearest(owner: object, wanted: str, spec: Spec) -> str:
    """The attribute of *owner* that looks most like *wanted*, if one does."""
    import difflib  # seldom, and large

    public = [name for name in dir(owner) if not name.startswith("_")]
    near = difflib.get_close_matches(wanted, public, 1, 0.6)
    if not near:
        return ""
    before = spec.name.split(".")[: spec.name.split(".").index(wanted)]
    return f"; did you mean '{spec.module}:{'.'.join([*before, near[0]])}'?"


def has_submodule(module: ModuleType) -> str:
    """For a Django project: the application is in its module ``wsgi``."""
    for directory in getattr(module, "__path__", ()):
        if os.path.isfile(os.path.join(directory, "wsgi.py")):
            return f"; did you mean '{module.__name__}.wsgi'?"
    return ""


def could_be_meant(module: ModuleType) -> str:
    """What in *module* could be an application, or make one."""
    names = []
    for name, value in vars(module).items():
        home = getattr(value, "__module__", module.__name__)
        if name.startswith("_") or isinstance(value, type) or not callable(value):
            continue
        if isinstance(value, FunctionType):
            if home == module.__name__:
                takes_two = value.__code__.co_argcount >= 2
                names.append(name if takes_two else f"{name}()")
        else:
            names.append(name)
    if not names:
        return ", and nothing in it can be called"
    if len(names) == 1:
        return f"; did you mean '{module.__name__}:{names[0]}'?"
    return f"; what could be meant: {', '.join(sorted(names)[:8])}"


def described(value: object) -> str:
    """What *value* is, for an error: "None", "a list"."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
