"""Servers that installed packages know."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Serve
from running import get

from tiamat.errors import AppError, StartupError
from tiamat.gateways.adapters import served

CODE = """
class Site:
    def __init__(self, text):
        self.text = text

class Broken:
    pass

def adapt(server):
    if isinstance(server, Broken):
        return 42
    if not isinstance(server, Site):
        return None
    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", str(len(server.text)))])
        return [server.text]
    return app

def fail(server):
    raise LookupError("no such thing")
"""


def install(directory: Path, name: str = "adapt") -> Path:
    """A package, as an installer leaves it, whose entry point is this function."""
    (directory / "tiamat_test_sites.py").write_text(CODE)
    info = directory / "tiamat_test_sites-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tiamat-test-sites\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        f"[tiamat.servers]\nsites = tiamat_test_sites:{name}\n"
    )
    return directory


def site(monkeypatch: pytest.MonkeyPatch, name: str, path: Path) -> Any:
    """An object of the package's, which can be imported."""
    import importlib

    monkeypatch.syspath_prepend(path)
    return getattr(importlib.import_module("tiamat_test_sites"), name)


def test_what_we_know_needs_no_package() -> None:
    """It stays what it is."""

    def handler(sock: Any, address: Any) -> None:
        raise NotImplementedError

    assert (handler, "handler") == served(handler)


def test_what_a_package_knows_is_served(serve: Serve, tmp_path: Path) -> None:
    """As what it makes of it."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    install(directory)
    (directory / "script.py").write_text(
        "from tiamat_test_sites import Site\ndef run(config): return Site(b'theirs')\n"
    )
    server = serve("", "--script=script.py")

    assert "theirs" == get(server.address).text


@pytest.mark.parametrize("server", [None, 42, object(), lambda a, b, c, d: None])
def test_what_nobody_knows_is_refused(server: Any) -> None:
    """With a list of what may be returned."""
    with pytest.raises(AppError, match=r"no server: return an object with serve.*;"):
        served(server)


def test_who_was_asked_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the package."""
    monkeypatch.syspath_prepend(install(tmp_path))

    with pytest.raises(
        AppError,
        match=r"\(sites = tiamat_test_sites:adapt of tiamat-test-sites 1\.0 did not",
    ):
        served(42)


def test_a_package_that_makes_no_server_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its author has to mend it."""
    broken = site(monkeypatch, "Broken", install(tmp_path))

    with pytest.raises(AppError, match=r"test-sites 1\.0 made an int of a Broken"):
        served(broken())


@pytest.mark.parametrize("name", ["fail", "absent"])
def test_a_package_that_fails_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it raised."""
    monkeypatch.syspath_prepend(install(tmp_path, name))

    with pytest.raises(StartupError, match=r"of tiamat-test-sites 1\.0 failed for an"):
        served(42)
