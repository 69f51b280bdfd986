"""From ``module:name`` to the application, or to an error that says what is there."""

import functools
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest

from tiamat.errors import AppError, StartupError
from tiamat.gateways import loader


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that modules are imported from, and forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(directory: Path, name: str, text: str) -> None:
    """Write a module."""
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))


SHOP = """
    def application(environ, start_response): return [b"application"]
    def app(environ, start_response): return [b"app"]
    def create_app(name="none", **options):
        def made(environ, start_response): return [name, options]
        return made
    class Deep:
        site = staticmethod(app)
        make = staticmethod(create_app)
    class Shop: pass
    number = 5
    def broken(): raise RuntimeError("no database")
    def leaving(): raise SystemExit("bye")
    def nothing(): return None
"""


def result(app: object) -> Any:
    """What the application of a test returns."""
    assert callable(app)
    return app({}, None)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("shop", [b"application"]),
        ("shop:app", [b"app"]),
        (" shop:app ", [b"app"]),
        ("shop:Deep.site", [b"app"]),
        ("shop:create_app()", ["none", {}]),
        ("shop:create_app('x')", ["x", {}]),
        (
            'shop:create_app("x:y", k=[1, {"a": None}])',
            ["x:y", {"k": [1, {"a": None}]}],
        ),
        ("shop:create_app('(', debug=True)", ["(", {"debug": True}]),
        ("shop:Deep.make(name='x', n=-1)", ["x", {"n": -1}]),
    ],
)
def test_an_application_is_found(site: Path, spec: str, expected: object) -> None:
    """Names, dotted names, and factories with literal arguments."""
    write(site, "shop.py", SHOP)

    assert expected == result(loader.load(spec))


def test_without_a_name_it_is_application_or_else_app(site: Path) -> None:
    """Flask's habit works as gunicorn's does."""
    write(site, "flasky.py", "def app(environ, start_response): return [b'app']")

    assert result(loader.load("flasky")) == [b"app"]


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("", "'' names no application; write module:name"),
        (":app", "':app' names no application; write module:name"),
        ("shop:", "'shop:' names no application; write module:name"),
        ("shop.py", "'shop.py' names a file; did you mean 'shop'?"),
        ("shop.py:app", "'shop.py:app' names a file; did you mean 'shop:app'?"),
        ("./src/shop.py", "did you mean 'src.shop'?"),
        ("src/shop:app", "did you mean 'src.shop:app'?"),
        ("my-shop:app", "'my-shop' is no name of a module"),
        ("shop:my-app", "'my-app' is no name"),
        ("shop:app(", "can't read 'app(' as a call"),
        ("shop:app()+1", "'app()+1' is not a call of a function"),
        ("shop:app(x)", "the arguments must be literals"),
        ("shop:app(*[1])", "the arguments must be literals"),
        ("shop:app(**{})", "the arguments must be literals"),
        ("shop:app(open('x'))", "the arguments must be literals"),
        ("shop:app()()", "'app()' is no name"),
        ("shop:[0]()", "'[0]' is no name"),
    ],
)
def test_a_wrong_specification_is_told(site: Path, spec: str, complaint: str) -> None:
    """What can't be read is refused before anything is imported: status 4."""
    with pytest.raises(AppError) as caught:
        loader.load(spec)

    assert complaint in str(caught.value)
    assert caught.value.exit_status == 4
    assert "shop" not in sys.modules


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (
            "shop:aplicaxion",
            "module 'shop' has no attribute 'aplicaxion';"
            " did you mean 'shop:application'?",
        ),
        (
            "shop:zzz",
            "has no attribute 'zzz'; what could be meant: app, application,"
            " broken(), create_app(), leaving(), nothing()",
        ),
        (
            "shop:Deep.sit",
            "object 'shop.Deep' has no attribute 'sit'; did you mean 'shop:Deep.site'?",
        ),
        ("shop:number", "'shop:number' is no application but an int"),
        ("shop:nothing()", "'shop:nothing()' is no application but None"),
        ("shop:number()", "'shop:number()': 'number' is no factory but an int"),
        ("shop:Shop.x.y", "object 'shop.Shop' has no attribute 'x'"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    site: Path, spec: str, complaint: str
) -> None:
    """A missing attribute is an error of status 4, with the nearest that exists."""
    write(site, "shop.py", SHOP)

    with pytest.raises(AppError) as caught:
        loader.load(spec)

    assert complaint in str(caught.value)


def test_a_module_without_an_application_is_told(site: Path) -> None:
    """Both default names were looked for; a submodule may have one."""
    write(site, "empty.py", "import os\nfrom os import path\nx = 1")
    write(site, "mysite/__init__.py", "")
    write(site, "mysite/wsgi.py", "application = print")

    with pytest.raises(AppError) as caught:
        loader.load("empty")
    assert str(caught.value) == (
        "module 'empty' has neither 'application' nor 'app', and nothing in it"
        " can be called"
    )
    with pytest.raises(AppError, match=r"did you mean 'mysite\.wsgi'\?"):
        loader.load("mysite")


def test_the_only_candidate_is_offered(site: Path) -> None:
    """If one thing in the module can be called, it was probably meant."""
    write(site, "single.py", "def handler(environ, start_response): return []")

    with pytest.raises(AppError, match=r"; did you mean 'single:handler'\?$"):
        loader.load("single")
    with pytest.raises(AppError, match=r"; did you mean 'single:handler'\?$"):
        loader.load("single:zzz")


def test_a_missing_module_is_told(site: Path) -> None:
    """Status 3, with the place that was looked in."""
    with pytest.raises(StartupError) as caught:
        loader.load("no_such_shop:app")

    expected = f"no module named 'no_such_shop' (looked in {site} and Python's path)"
    assert expected in str(caught.value)
    assert caught.value.__cause__ is None  # a traceback would only show our own code
    assert caught.value.exit_status == 3


def test_a_misspelt_module_gets_the_nearest(site: Path) -> None:
    """Modules that lie in the first directory of the path are offered."""
    write(site, "shop.py", "")

    with pytest.raises(StartupError, match=r"; did you mean 'shop:app'\?"):
        loader.load("shpo:app")


def test_a_missing_submodule_is_told(site: Path) -> None:
    """Also when the package is there, and when the parent is no package."""
    write(site, "mysite/__init__.py", "")
    write(site, "shop.py", "")

    with pytest.raises(StartupError, match=r"no module named 'mysite\.nope'"):
        loader.load("mysite.nope")
    with pytest.raises(StartupError, match=r"no module named 'shop\.wsgi'"):
        loader.load("shop.wsgi")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "import no_such_dependency",
            "ModuleNotFoundError: No module named 'no_such_dependency'",
        ),
        ("from os import nope", "ImportError: cannot import name 'nope'"),
        ("x = 1\n1 / 0", "shop.py, line 2)"),
        ("x = = 1", "SyntaxError: invalid syntax ("),
        ("raise SystemExit(2)", "it called sys.exit(2)"),
        ("raise KeyError('DATABASE_URL')", "KeyError: 'DATABASE_URL'"),
    ],
)
def test_a_module_that_fails_is_told_with_its_line(
    site: Path, text: str, complaint: str
) -> None:
    """Its own failure is not taken for its absence: status 3, file and line."""
    write(site, "shop.py", text)

    with pytest.raises(StartupError) as caught:
        loader.load("shop")

    assert str(caught.value).startswith("'shop' failed while it was imported: ")
    assert complaint in str(caught.value)
    assert f"{site}/shop.py, line" in str(caught.value)
    cause = caught.value.__cause__
    assert cause is not None
    traceback = "".join(format_exception(cause))
    assert traceback.count("File ") == 1
    assert f'File "{site}/shop.py"' in traceback


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("shop:broken()", "'shop:broken()' failed: RuntimeError: no database ("),
        ("shop:leaving()", "'shop:leaving()' failed: it called sys.exit('bye') ("),
        ("shop:create_app(1, 2)", "'shop:create_app(1, 2)' failed: TypeError: "),
    ],
)
def test_a_factory_that_fails_is_told(site: Path, spec: str, complaint: str) -> None:
    """Status 3: the application is there, but could not be made."""
    write(site, "shop.py", SHOP)

    with pytest.raises(StartupError) as caught:
        loader.load(spec)

    assert complaint in str(caught.value)


# --- WSGI or ASGI? ----------------------------------------------------------


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
    assert loader.interface(app) == "wsgi"


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
    assert loader.interface(app) == "asgi"


@pytest.mark.parametrize("app", [asgi2, Asgi2Class])
def test_applications_of_asgi_2_are_known(app: object) -> None:
    """Nobody serves them, and they are told apart from the others."""
    assert loader.interface(app) == "asgi2"


@pytest.mark.parametrize("app", [factory, lambda: None, lambda **settings: None, Asgi])
def test_factories_are_known(app: object) -> None:
    """Whoever forgets the parentheses is told so, before any request fails."""
    assert loader.interface(app) == "factory"


def test_the_refusal_names_the_cure() -> None:
    """What to do about the worker, or about the application."""
    double = loader.refusal("m:app", "asgi2", None)
    made = loader.refusal("m:make", "factory", None)
    asgi = loader.refusal("m:app", "asgi", "gevent")
    wsgi = loader.refusal("m:app", "wsgi", Asgi)

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

    assert ["asgi"] * 7 == [loader.interface(app) for app in asgi]
    assert ["wsgi"] * 4 == [loader.interface(app) for app in wsgis]
