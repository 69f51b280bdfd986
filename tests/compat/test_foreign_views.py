"""What a worker that was written for gunicorn gets beside its sockets."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tiamat.compat.embedded import EmbeddedConfig
from tiamat.compat.foreign_views import ForeignApp, app_for, log_for
from tiamat.compat.gunicorn import config as gunicorn_config
from tiamat.compat.logger import Logger
from tiamat.config import Config
from tiamat.config.named import open_log
from tiamat.errors import StartupError


def test_the_application_is_loaded_when_it_is_asked_for() -> None:
    """Once; what is no WSGI is none of our business."""
    app = ForeignApp(None, Config(wsgi_app="apps.asgi_life:app"), None)

    assert app.wsgi() is app.wsgi()
    assert "app" == app.wsgi().__name__


def test_what_is_loaded_already_is_taken() -> None:
    """In a mold, say."""
    assert print is ForeignApp(None, Config(wsgi_app="no:app"), print).wsgi()


def test_what_can_not_be_loaded_says_why() -> None:
    """With the error that others raise, too."""
    with pytest.raises(StartupError):
        ForeignApp(None, Config(wsgi_app="no.such:app"), None).wsgi()


def test_a_program_has_an_application_object_of_its_own() -> None:
    """It gets back the settings that this worker was made with."""
    before = gunicorn_config.Config()
    program = SimpleNamespace(cfg=before)
    config = EmbeddedConfig.of(program)
    program.cfg = None

    assert program is app_for(None, config, None)
    assert before is program.cfg


def test_our_log_gets_gunicorn_s_names(tmp_path: Path) -> None:
    """And its arguments."""
    config = Config(
        accesslog=str(tmp_path / "access"), errorlog=str(tmp_path / "error")
    )
    log: Any = log_for(open_log(config), config)
    environ = dict.fromkeys(("REQUEST_METHOD", "RAW_URI", "SERVER_PROTOCOL"), "x")
    answered = SimpleNamespace(status="200 OK", headers=[], sent=3)

    log.access(answered, SimpleNamespace(headers=[]), environ, timedelta(0))
    log.close_on_exec()
    log.info("here")
    log.reopen_files()

    assert '"x x x" 200 3' in (tmp_path / "access").read_text()
    assert "here" in (tmp_path / "error").read_text()
    assert log.access_log_enabled
    log.close()


def test_a_log_of_gunicorn_s_contract_is_itself(tmp_path: Path) -> None:
    """One of ours by that contract, or one of somebody else's."""
    config = Config(logger_class=Logger, errorlog=str(tmp_path / "error"))
    log = open_log(config)

    assert log is log_for(log, config)
    log.close()
