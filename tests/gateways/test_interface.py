"""What an application speaks is seen from how it is called."""

import functools
from collections.abc import Iterator
from typing import Any

import pytest

from tiamat.gateways.interface import interface, refusal


def wsgi(environ: object, start_response: object) -> None:
    """A WSGI application."""


async def asgi(scope: object, receive: object, send: object) -> None:
    """An ASGI application."""


class Wsgi:
    """A WSGI application as an object, such as Flask's."""

    def __call__(self, environ: object, start_response: object) -> None:
        """Serve."""

    async def method(self, scope: object, receive: object, send: object) -> None:
        """Serve ASGI."""


class Asgi:
    """An ASGI application as an object, such as Starlette's."""

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        """Serve."""


class Sneaky(Wsgi):
    """An object whose attribute called ``func`` is nobody's partial."""

    func = staticmethod(asgi)


def delegating(scope: object, receive: object, send: object) -> Any:
    """A plain function that returns a coroutine."""
    return asgi(scope, receive, send)


class WsgiClass:
    """An application that is a class, as in PEP 3333: made per request, iterated."""

    def __init__(self, environ: object, start_response: object) -> None:
        """Begin."""

    def __iter__(self) -> Iterator[bytes]:
        return iter(())


class AsgiClass:
    """The same for ASGI, such as Starlette's endpoints."""

    def __init__(self, scope: object, receive: object, send: object) -> None:
        """Begin."""

    def __await__(self) -> Iterator[None]:
        return iter(())


class Asgi2Class:
    """An application of ASGI 2."""

    def __init__(self, scope: object) -> None:
        """Begin."""

    async def __call__(self, receive: object, send: object) -> None:
        """Serve."""


class Subclass(Asgi):
    """A subclass that does something before, and calls the other one."""

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return super().__call__(scope, receive, send)


def bound(first: object, environ: object, start_response: object) -> None:
    """A WSGI application that wants something of its own first."""


def asgi2(scope: object) -> Any:
    """An ASGI application of 2018."""


def renamed(one: object, two: object, three: object) -> Any:
    """Called with three arguments, whatever they are called."""


def with_default(environ: object, start_response: object, debug: bool = False) -> Any:
    """WSGI: the third is not given."""


def factory(debug: bool = False) -> Any:
    """Makes an application."""


def request_only(request: object) -> Any:
    """What werkzeug's decorators wrap: no application by itself."""


def decorated(function: Any) -> Any:
    """A wrapper that takes anything."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def adapted(function: Any) -> Any:
    """A WSGI application around one of ASGI."""

    @functools.wraps(function)
    def wrapper(environ: object, start_response: object) -> None:
        """Serve."""

    return wrapper


@pytest.mark.parametrize(
    "app",
    [
        *(wsgi, Wsgi(), functools.partial(bound, 1), print, Sneaky(), WsgiClass),
        *(with_default, decorated(wsgi), decorated(request_only), adapted(asgi)),
        lambda *args: None,
    ],
)
def test_wsgi_applications_are_known(app: object) -> None:
    """Functions and objects that are called with environ and start_response."""
    assert interface(app) == "wsgi"


@pytest.mark.parametrize(
    "app",
    [
        *(asgi, Asgi(), Wsgi().method, delegating, functools.partial(asgi, 1)),
        *(AsgiClass, Subclass(), renamed, decorated(asgi), decorated(Asgi())),
        functools.partial(Asgi()),
    ],
)
def test_asgi_applications_are_known(app: object) -> None:
    """Coroutine functions, wrapped or not, and what takes scope, receive, send."""
    assert interface(app) == "asgi"


@pytest.mark.parametrize("app", [asgi2, Asgi2Class])
def test_applications_of_asgi_2_are_known(app: object) -> None:
    """Nobody serves them, and they are told apart from the others."""
    assert interface(app) == "asgi2"


@pytest.mark.parametrize("app", [factory, lambda: None, lambda **settings: None, Asgi])
def test_factories_are_known(app: object) -> None:
    """Whoever forgets the parentheses is told so, before any request fails."""
    assert interface(app) == "factory"


def test_the_refusal_names_the_cure() -> None:
    """What to do about the worker, or about the application."""
    double = refusal("m:app", "asgi2", None)
    made = refusal("m:make", "factory", None)
    asgi = refusal("m:app", "asgi", "gevent")
    wsgi = refusal("m:app", "wsgi", Asgi)

    assert "wrap it in asgiref.compatibility.guarantee_single_callable" in double
    assert made.endswith("if it makes the application, write 'm:make()'")
    assert "which the gevent worker does not serve; leave out -k, or use" in asgi
    assert "which the Asgi worker does not serve; leave out -k (or wrap it in" in wsgi


def test_frameworks_are_known() -> None:
    """By their real classes, and by subclasses of them."""
    import fastapi
    import flask
    import litestar
    import quart
    import starlette.applications
    from asgiref.wsgi import WsgiToAsgi
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
    from werkzeug.middleware.proxy_fix import ProxyFix
    from werkzeug.wrappers import Request, Response

    class MyQuart(quart.Quart):
        """An application's own class."""

    @Request.application
    def small(request: Request) -> Response:
        return Response()

    asgi = [
        *(fastapi.FastAPI(), starlette.applications.Starlette(), litestar.Litestar()),
        *(quart.Quart("x"), MyQuart("x"), ASGIHandler.__new__(ASGIHandler)),
        WsgiToAsgi(wsgi),  # type: ignore[no-untyped-call]
    ]
    wsgis = [
        *(flask.Flask("x"), WSGIHandler.__new__(WSGIHandler)),
        *(ProxyFix(flask.Flask("x")), small),
    ]

    assert ["asgi"] * 7 == [interface(app) for app in asgi]
    assert ["wsgi"] * 4 == [interface(app) for app in wsgis]
