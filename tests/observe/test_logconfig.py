"""Python's own logging configuration, in gunicorn's order and with its names."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiamat.observe import logconfig


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], level = before
    root.setLevel(level)
    for name in ("site", "site.ini"):
        logging.getLogger(name).handlers.clear()


def test_handlers_of_ones_own_stand_beside_gunicorn_s() -> None:
    """Who defines one need not define ``console`` again for the root logger."""
    values = {"handlers": {"mine": {"class": "logging.NullHandler"}}}

    logconfig.apply(values)

    kinds = [type(handler) for handler in logging.getLogger().handlers]
    assert [logging.StreamHandler] == kinds
    assert logging.INFO == logging.getLogger().level
    assert {"mine", "console", "error_console"} == set(
        logconfig.merged(values)["handlers"]
    )


def test_an_ini_file_knows_where_it_is(tmp_path: Path) -> None:
    """``%(here)s``, also in a folder with a percent sign."""
    folder = tmp_path / "100%"
    folder.mkdir()
    (folder / "log.ini").write_text(
        "[loggers]\nkeys=root\n[handlers]\nkeys=file\n[formatters]\nkeys=\n"
        "[logger_root]\nhandlers=file\n"
        "[handler_file]\nclass=FileHandler\nargs=('%(here)s/site.log',)\n"
    )

    logconfig.apply(str(folder / "log.ini"))

    for handler in logging.getLogger().handlers:
        handler.close()
    assert (folder / "site.log").exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("[1]", "has no JSON object"), ("{", "Expecting"), ('{"version": 2}', "version")],
)
def test_a_file_that_is_no_configuration_is_told(
    tmp_path: Path, text: str, complaint: str
) -> None:
    """As a ValueError, whatever is wrong with it."""
    path = tmp_path / "log.json"
    path.write_text(text)

    with pytest.raises(ValueError, match=complaint):
        logconfig.apply(logconfig.load(str(path)))


def test_a_file_that_is_not_there_is_told() -> None:
    """With its name, so that the setting is found."""
    with pytest.raises(FileNotFoundError) as caught:
        logconfig.load("/no/such.json")

    assert "/no/such.json" == caught.value.filename
