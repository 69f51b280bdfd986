"""What is written about the server's work, and where."""

import pytest

from tiamat.config import Config
from tiamat.config.logs import COMBINED
from tiamat.errors import ConfigError
from tiamat.observe.access import compile_format


def test_defaults_are_gunicorns() -> None:
    """Errors on the standard error, no access log, level info."""
    config = Config()

    assert (config.errorlog, config.accesslog, config.loglevel) == ("-", None, "info")
    assert config.access_log_format == COMBINED
    assert callable(compile_format(COMBINED))


def test_levels_are_known_by_name_in_any_case() -> None:
    """gunicorn takes an unknown level for info; we say that it is none."""
    assert Config(loglevel="WARNING").loglevel == "warning"
    assert Config(loglevel="warn").loglevel == "warning"
    assert Config(loglevel="FATAL").loglevel == "critical"
    with pytest.raises(ConfigError, match="is none of debug, info, warning"):
        Config(loglevel="loud")


def test_a_wrong_format_is_found_at_the_start() -> None:
    """Not in the first request."""
    with pytest.raises(ConfigError, match=r"'%h' at column 1 is no atom"):
        Config(access_log_format="%h")


def test_an_atom_that_is_none_is_told() -> None:
    """It is a dash in the lines, as with gunicorn, which says nothing of it."""
    config = Config(access_log_format="%(h)s %(zz)s %({a}i)s")

    assert "there is no atom %(zz)s, so it will be a dash" in config.warnings[0]
    assert 1 == len(config.warnings)
