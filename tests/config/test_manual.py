"""The manual's page of settings."""

from pathlib import Path

import pytest

from tiamat.config import Config, manual

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    """After a change: ``python -m tiamat.config.manual > docs/settings.md``."""
    assert manual.main() == 0

    assert PAGE.read_text() == capsys.readouterr().out


def test_every_setting_is_on_the_page() -> None:
    """Name, flags, default and variable of each."""
    page = PAGE.read_text()

    for setting in Config.settings.values():
        assert f"### `{setting.name}`\n" in page
        for flag in setting.flags:
            assert f"`{flag}" in page
        if setting.environ:
            assert setting.environ.variable in page
    assert "default: where the command is given" in page
