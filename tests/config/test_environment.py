"""Variables that settings put into the environment."""

import os
from pathlib import Path

import pytest
from conftest import Serve

from tiamat.config import Config, environment
from tiamat.errors import ConfigError

FILE = """
# the shop's
export SHOP_NAME="Green & Sons"  # with an ampersand
SHOP_COLOUR = green # not blue
SHOP_EMPTY=
SHOP_URL=http://a/?b=1#c
SHOP_QUOTE='it is "so"'
"""


def load(directory: Path, *words: str) -> Config:
    """The settings of a command that is given in *directory*."""
    return Config.load(["--env-file=shop.env", *words], {}, str(directory))


def test_a_file_of_variables_is_read(tmp_path: Path) -> None:
    """Comments, quotes, export, and values with = in them."""
    (tmp_path / "shop.env").write_text(FILE)

    assert {
        "SHOP_NAME": "Green & Sons",
        "SHOP_COLOUR": "green",
        "SHOP_EMPTY": "",
        "SHOP_URL": "http://a/?b=1#c",
        "SHOP_QUOTE": 'it is "so"',
    } == environment.from_file(load(tmp_path))


def test_raw_env_is_stronger_than_the_environment_and_that_than_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for uvicorn and for gunicorn."""
    (tmp_path / "shop.env").write_text("SHOP_A=file\nSHOP_B=file\nSHOP_C=file\n")
    monkeypatch.setenv("SHOP_B", "environment")
    monkeypatch.setenv("SHOP_C", "environment")
    monkeypatch.chdir(tmp_path)
    config = load(tmp_path, "--env=SHOP_C=raw")

    assert {"SHOP_A": "file", "SHOP_C": "raw"} == environment.variables(config)
    config.enter()
    assert ("file", "environment", "raw") == tuple(
        os.environ[f"SHOP_{letter}"] for letter in "ABC"
    )
    config.leave()
    assert "SHOP_A" not in os.environ
    assert "environment" == os.environ["SHOP_C"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "A=1\nwhat is this\n",
            "can't be read, line 2: 'what is this' is no NAME=VALUE",
        ),
        ("A='1\n", "can't be read, line 1: No closing quotation"),
        (None, "can't be read: No such file"),
    ],
)
def test_a_file_that_is_none_is_an_error(
    tmp_path: Path, text: str | None, reason: str
) -> None:
    """With the line, before anything is served."""
    if text is not None:
        (tmp_path / "shop.env").write_text(text)

    with pytest.raises(ConfigError) as caught:
        load(tmp_path)

    assert f"--env-file 'shop.env' {reason}" in str(caught.value)


def test_the_application_has_the_variables(serve: Serve, tmp_path: Path) -> None:
    """And what raw_env, pythonpath, chdir and wsgi_app say, all from the file."""
    directory = tmp_path / "server-0"
    (directory / "site" / "code").mkdir(parents=True)
    (directory / "library").mkdir()
    (directory / "shop.env").write_text("SHOP_A=one\n")
    (directory / "library" / "shop_library.py").write_text("NAME = 'library'\n")
    (directory / "site" / "code" / "shop_site.py").write_text(
        "import os, shop_library\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    words = os.environ['SHOP_A'], os.environ['SHOP_B'], shop_library.NAME\n"
        "    return [' '.join([*words, os.path.basename(os.getcwd())]).encode()]\n"
    )
    server = serve(
        "",
        config="env_file = 'shop.env'\nraw_env = ['SHOP_B=two']\n"
        "chdir = 'site/code'\npythonpath = '../../library'\n"
        "wsgi_app = 'shop_site:app'\n",
    )

    assert "one two library code" == server.get().text
