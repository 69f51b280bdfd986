"""
From ``module:name`` to the application, with errors that say what is there.

A specification is ``module``, ``module:name``, ``module:name.attribute`` or
``module:factory("literal", key=1)``. Without a name it is ``application``, or else
``app``.
"""

import difflib
import sys
from dataclasses import dataclass
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any, Final, Literal

from tiamat.errors import AppError, StartupError

DEFAULT_NAMES: Final = ("application", "app")

COROUTINE: Final = 0x80  # inspect.CO_COROUTINE; importing inspect costs 2 MB


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
    call: tuple[list[Any], dict[str, Any]] | None = None


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
    if not all(part.isidentifier() for part in module.split(".")):
        raise AppError(f"{text!r} names no module{path_hint(module, rest)}")
    if "(" in rest:
        name, call = parse_call(text, rest)
    else:
        name, call = rest, None
    if rest and not all(part.isidentifier() for part in name.split(".")):
        raise AppError(f"{text!r}: {name!r} is no name; write module:name")
    return Spec(text, module, name, call)


def path_hint(module: str, rest: str) -> str:
    """For who wrote the path of a file, the module in it."""
    if module.endswith(".py") or "/" in module:
        dotted = module.removesuffix(".py").removeprefix("./").strip("/")
        return f"; did you mean '{dotted.replace('/', '.')}:{rest or 'application'}'?"
    return "; write module:name"


def parse_call(text: str, rest: str) -> tuple[str, tuple[list[Any], dict[str, Any]]]:
    """The name and the arguments of ``factory("literal", key=1)``."""
    import ast

    try:
        call = ast.parse(rest, mode="eval").body
    except SyntaxError:
        raise AppError(f"{text!r}: can't read {rest!r} as a call") from None
    if not isinstance(call, ast.Call):
        raise AppError(f"{text!r}: {rest!r} is not a call of a function")
    try:
        if any(keyword.arg is None for keyword in call.keywords):
            raise ValueError
        positional = [ast.literal_eval(node) for node in call.args]
        named = {k.arg or "": ast.literal_eval(k.value) for k in call.keywords}
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
        StartupError: the module can't be imported, or the factory failed; its
            ``__cause__`` is the exception, for the log.
    """
    spec = parse_spec(text)
    module = load_module(spec)
    app = find(module, spec)
    if spec.call is not None:
        app = make(app, spec)
    if not callable(app):
        raise AppError(
            f"{text!r} is no application: it is not callable but {described(app)}"
        )
    return app


def load_module(spec: Spec) -> ModuleType:
    """Import the module of *spec*, and tell its absence from its failure."""
    try:
        return import_module(spec.module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if spec.module == missing or spec.module.startswith(missing + "."):
            raise StartupError(no_module(spec, missing)) from error
        raise StartupError(failed(spec, error)) from error
    except (Exception, SystemExit) as error:
        raise StartupError(failed(spec, error)) from error


def no_module(spec: Spec, missing: str) -> str:
    """There is no module *missing*: what was looked for, and where."""
    if spec.module.endswith(".py") and missing == spec.module:
        name = spec.name or "application"
        hint = f"; did you mean '{spec.module.removesuffix('.py')}:{name}'?"
    else:
        hint = f" (looked in {sys.path[0] or '.'} and where Python looks else)"
    return f"no module named {missing!r}, wanted for {spec.text!r}{hint}"


def failed(spec: Spec, error: BaseException) -> str:
    """The module is there, and its own code failed."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<frozen"):
            place = f" ({file}, line {trace.tb_lineno})"
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        place = f" ({error.filename}, line {error.lineno})"
        what = f"SyntaxError: {error.msg}"
    elif isinstance(error, SystemExit):
        what = f"it called sys.exit({error.code!r})"
    else:
        what = f"{type(error).__name__}: {error}"
    return f"{spec.module!r} failed while it was imported: {what}{place}"


def find(module: ModuleType, spec: Spec) -> Any:
    """The attribute that *spec* names, or one of the default ones."""
    if not spec.name:
        for name in DEFAULT_NAMES:
            if hasattr(module, name):
                return getattr(module, name)
        raise AppError(
            f"module {spec.module!r} has neither 'application' nor 'app'"
            f"{what_is_there(module, '')}"
        )
    found: Any = module
    done: list[str] = []
    for part in spec.name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            owner = ".".join([spec.module, *done])
            kind = "object" if done else "module"
            raise AppError(
                f"{kind} {owner!r} has no attribute {part!r}"
                f"{what_is_there(found, part)}"
            ) from None
        done.append(part)
    return found


def what_is_there(owner: object, wanted: str) -> str:
    """Names near to *wanted*, or else those that could be an application."""
    public = [name for name in dir(owner) if not name.startswith("_")]
    near = difflib.get_close_matches(wanted, public, 1, 0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    if isinstance(owner, ModuleType):
        public = [name for name in public if could_be_app(owner, name)]
        if not public:
            return "; nothing in it can be called"
    return f"; there is {', '.join(public[:8])}" if public else ""


def could_be_app(module: ModuleType, name: str) -> bool:
    """Whether it is a function or an object of the module's own, not a class."""
    value = getattr(module, name, None)
    if isinstance(value, type) or not callable(value):
        return False
    return getattr(value, "__module__", module.__name__) == module.__name__ or (
        not isinstance(value, FunctionType)
    )


def make(factory: Any, spec: Spec) -> object:
    """Call the factory with the arguments of *spec*."""
    positional, named = spec.call or ([], {})
    if not callable(factory):
        raise AppError(
            f"{spec.text!r}: {spec.name!r} is no factory but {described(factory)}"
        )
    try:
        return factory(*positional, **named)
    except (Exception, SystemExit) as error:
        raise StartupError(
            f"{spec.text!r} failed: {type(error).__name__}: {error}"
        ) from error


def described(value: object) -> str:
    """What *value* is, for an error: "None", "a list"."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def interface(app: object) -> Literal["wsgi", "asgi"]:
    """
    Which of the two interfaces *app* speaks.

    ASGI applications are coroutine functions, or objects whose ``__call__`` is
    one; in doubt three arguments (scope, receive, send) against two tell.
    """
    function: Any = app
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    if not hasattr(function, "__code__"):
        function = type(function).__call__ if callable(function) else None
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None:
        return "wsgi"
    if code.co_flags & COROUTINE:
        return "asgi"
    names = code.co_varnames[: code.co_argcount]
    return "asgi" if names[-3:] == ("scope", "receive", "send") else "wsgi"
