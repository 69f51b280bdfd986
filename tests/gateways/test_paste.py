"""Applications that a PasteDeploy file describes."""

import sys
from pathlib import Path

import pytest

from tiamat.errors import AppError, StartupError
from tiamat.gateways import paste

FILE = """
[app:main]
paste.app_factory = paste_site_of_test:make
text = %(colour)s

[app:broken]
paste.app_factory = paste_site_of_test:fail
"""

SITE = """
def make(variables, text):
    return lambda environ, start_response: [text.encode()]

def fail(variables):
    raise LookupError_("no")
"""


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file with two applications."""
    (tmp_path / "shop.ini").write_text(FILE)
    (tmp_path / "paste_site_of_test.py").write_text(SITE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "paste_site_of_test", raising=False)
    return f"config:{tmp_path / 'shop.ini'}"


def test_an_application_is_made_with_its_variables(uri: str) -> None:
    """The section is ``main`` if none is named."""
    for name in (uri, f"{uri}#main"):
        app: object = paste.load(name, {"colour": "green"})
        assert callable(app)
        assert [b"green"] == app({}, None)


def test_what_is_wrong_is_said(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such section, a factory that fails, and no library."""
    with pytest.raises(AppError, match=r"shop.ini#none: .*'none'"):
        paste.load(f"{uri}#none", {"colour": "green"})
    with pytest.raises(StartupError, match=r"shop.ini#broken failed: NameError"):
        paste.load(f"{uri}#broken", {"colour": "green"})
    monkeypatch.setitem(sys.modules, "paste.deploy", None)
    with pytest.raises(StartupError, match="pip install PasteDeploy"):
        paste.load(uri, {})


def test_a_file_may_say_how_to_log(tmp_path: Path) -> None:
    """If it has all three sections of that."""
    path = tmp_path / "a.ini"
    path.write_text("[loggers]\n[handlers]\n")
    assert not paste.configures_logging(str(path))
    path.write_text("[loggers]\n[handlers]\n[formatters]\nformat = %(x\n")
    assert paste.configures_logging(str(path))
    path.write_text("broken\n")
    assert not paste.configures_logging(str(path))
