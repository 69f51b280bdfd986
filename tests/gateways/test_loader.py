"""From ``module:name`` to the application, or to an error that says what is there."""

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
