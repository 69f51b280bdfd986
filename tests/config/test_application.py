"""Which application is meant."""

import functools
from pathlib import Path

import pytest
from conftest import Serve

from tiamat.config import Config, application
from tiamat.config.sources import Sources
from tiamat.errors import AppError, ConfigError

INI = """
[app:main]
paste.app_factory = paste_shop_of_test:make
text = main %(colour)s

[app:other]
paste.app_factory = paste_shop_of_test:make
text = other %(colour)s
"""

LOGGING = """
[loggers]
keys = root

[handlers]
keys = file

[formatters]
keys = plain

[logger_root]
level = INFO
handlers = file

[handler_file]
class = FileHandler
args = ("paste.log",)
formatter = plain

[formatter_plain]
format = FROM THE FILE %(message)s
"""

SITE = """
import logging

def make(variables, text):
    logging.getLogger("shop").info("made")
    def app(environ, start_response):
        start_response("200 OK", [])
        return [text.encode()]
    return app
"""


def load(directory: Path, *words: str) -> Config:
    """The settings of a command that is given in *directory*."""
    return Config.load(words, {}, str(directory))


def test_the_command_line_wins_over_the_file_and_paste_over_both(
    tmp_path: Path,
) -> None:
    """As in gunicorn."""
    (tmp_path / "gunicorn.conf.py").write_text("wsgi_app = 'file:app'\n")
    (tmp_path / "a.ini").touch()

    assert "file:app" == load(tmp_path).app
    assert "line:app" == load(tmp_path, "line:app").app
    assert f"config:{tmp_path}/a.ini#x" == load(tmp_path, "--paste=a.ini#x", "a:b").app
    with pytest.raises(ConfigError, match=r"--paste 'b.ini' is no file"):
        load(tmp_path, "--paste=b.ini")


def test_an_object_is_called_by_its_name(tmp_path: Path) -> None:
    """What was handed over is served, and needs no name that can be imported."""
    sources = Sources((), {}, str(tmp_path), {}, Config.load)
    config = Config().read(sources)

    assert "tiamat.config.config:Config.load" == config.app
    assert application.load(config) == Config.load
    assert "functools:partial" == application.described(functools.partial(print))
    application.check(config)


def test_a_name_that_can_be_none_is_refused(tmp_path: Path) -> None:
    """Before anything is bound."""
    with pytest.raises(AppError, match="names a file"):
        application.check(load(tmp_path, "shop.py"))
    application.check(load(tmp_path))


def test_a_paste_file_is_served_and_logs_as_it_says(
    serve: Serve, tmp_path: Path
) -> None:
    """With a section and variables from the command line; a reload reads it again."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "shop.ini").write_text(INI + LOGGING)
    (directory / "paste_shop_of_test.py").write_text(SITE)
    server = serve("", "--paste=shop.ini#other", "--paste-global=colour=green")

    assert "other green" == server.get().text
    assert "FROM THE FILE made\n" in (directory / "paste.log").read_text()
