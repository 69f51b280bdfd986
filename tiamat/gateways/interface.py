"""
WSGI or ASGI? What an application speaks, by how it is called.

Nobody has to say it: what can't be seen is WSGI, as it was before there was a choice.
"""

from functools import partial
from inspect import Parameter, iscoroutinefunction, signature
from typing import Any, Final, Literal, TypeAlias

Interface: TypeAlias = Literal["wsgi", "asgi", "asgi2", "factory"]
"""
What an application speaks; asgi2 is the double callable of before 2019. A factory is
no application at all.
"""

ASGI: Final = ("scope", "receive", "send")

POSITIONAL: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def interface(app: Any) -> Interface:
    """
    Which of the interfaces *app* speaks.

    An application is called with two arguments (WSGI), with three (ASGI), or with
    one, which returns what is called with two more (ASGI 2). What is a coroutine
    function, or an object whose ``__call__`` is one, is ASGI whatever it takes.
    A wrapper that takes anything speaks what it wraps. What can be called without
    arguments, and not with two, makes an application perhaps, but is none.
    """
    if is_coroutine(app):
        return "asgi"
    if isinstance(app, type) and hasattr(app, "__await__"):
        return "asgi"  # an instance is made per request, and awaited
    try:
        parameters = [*signature(app, follow_wrapped=False).parameters.values()]
    except (TypeError, ValueError):  # of some that are compiled
        return "wsgi"
    positional = [one for one in parameters if one.kind in POSITIONAL]
    if tuple(one.name for one in positional[-3:]) == ASGI:
        return "asgi"
    if any(one.kind is Parameter.VAR_POSITIONAL for one in parameters):
        wrapped = getattr(app, "__wrapped__", None)
        return "asgi" if wrapped is not None and takes_three(wrapped) else "wsgi"
    required = sum(one.default is Parameter.empty for one in positional)
    if len(positional) < 2 and not required:
        return "factory"
    if len(positional) == 1:
        return "asgi2"
    return "asgi" if required == len(ASGI) else "wsgi"


def is_coroutine(app: Any) -> bool:
    """Whether calling *app* makes a coroutine, as far as one can see."""
    function = app
    while isinstance(function, partial):
        function = function.func
    return iscoroutinefunction(function) or (
        not isinstance(function, type) and iscoroutinefunction(type(function).__call__)
    )


def takes_three(app: Any) -> bool:
    """Whether *app*, which something wraps, is called with three arguments."""
    try:
        signature(app).bind(*ASGI)
    except (TypeError, ValueError):
        return False
    return interface(app) == "asgi"


def refusal(text: str, spoken: Interface, worker: object) -> str:
    """
    Why a worker does not serve an application, and the cures.

    Args:
        text: the specification of the application.
        spoken: its interface.
        worker: the worker's class, or its name.
    """
    name = worker if isinstance(worker, str) else getattr(worker, "__name__", "chosen")
    if spoken == "factory":
        return (
            f"{text!r} takes neither environ and start_response, nor scope, receive and"
            f" send; if it makes the application, write '{text}()'"
        )
    if spoken == "asgi2":
        return (
            f"{text!r} is called with one argument, as applications of ASGI 2 were,"
            " which nothing here serves; name what is called with scope, receive and"
            " send, or wrap it in asgiref.compatibility.guarantee_single_callable"
        )
    if spoken == "asgi":
        return (
            f"{text!r} is an ASGI application, which the {name} worker does not serve;"
            " leave out -k, or use -k asgi (or wrap it in a2wsgi.ASGIMiddleware)"
        )
    return (
        f"{text!r} is a WSGI application, which the {name} worker does not serve; leave"
        " out -k (or wrap it in asgiref.wsgi.WsgiToAsgi or a2wsgi.WSGIMiddleware)"
    )
