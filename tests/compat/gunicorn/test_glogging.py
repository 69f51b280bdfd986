"""gunicorn's logger, by its own name."""

import copy
import json
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Serve
from running import wait_until

from tiamat.compat.gunicorn import glogging
from tiamat.compat.logger import Logger
from tiamat.config import Config

GUNICORN = Path(sys.prefix) / "gunicorn"

SITE = """
import json
import logging
from gunicorn.glogging import Logger

class Json(logging.Formatter):
    def format(self, record):
        atoms = record.args
        return json.dumps({
            "request": [atoms["m"], atoms["U"], atoms["s"], atoms["{host}i"][:9]],
            "format": record.msg,
            "of": Logger.__module__,
        })

class Mine(Logger):
    def setup(self, cfg):
        super().setup(cfg)
        self._set_handler(self.access_log, cfg.accesslog, Json())
"""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Logger]:
    """A logger with a file."""
    made = Logger(Config(errorlog=str(tmp_path / "error"), accesslog="-"))
    yield made
    made.close()
    for name in ("gunicorn.error", "gunicorn.access"):
        logging.getLogger(name).handlers.clear()


@pytest.mark.parametrize(
    ("gunicorn", "module"),
    [("", "tiamat.compat.logger"), (str(GUNICORN), "gunicorn.glogging")],
    ids=["without gunicorn", "with gunicorn"],
)
def test_a_class_that_writes_json_logs_requests(
    serve: Serve, tmp_path: Path, gunicorn: str, module: str
) -> None:
    """Unmodified, on our logger or on gunicorn's own."""
    if gunicorn and not GUNICORN.is_dir():
        pytest.skip("there is no .venv/gunicorn; scripts/test installs it")
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "site_json.py").write_text(SITE)
    server = serve(
        "apps.pid:app",
        *("--logger-class=site_json.Mine", "--access-logfile=access.log"),
        "--access-logformat=%(m)s",
        path=gunicorn,
    )
    path = directory / "access.log"

    server.get("/shop")
    wait_until(lambda: path.exists() and path.read_text(), "the line is there")

    assert {
        "request": ["GET", "/shop", "200", "127.0.0.1"],
        "format": "%(m)s",
        "of": module,
    } == json.loads(path.read_text())
    assert "[INFO] listening on" in server.log


def test_defaults_can_be_extended() -> None:
    """They have gunicorn's loggers, to be changed by name."""
    values: Any = copy.deepcopy(glogging.CONFIG_DEFAULTS)

    assert {"gunicorn.error", "gunicorn.access"} == set(values["loggers"])
    assert {"console", "error_console"} == set(values["handlers"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unix:///dev/log", (None, "/dev/log")),
        ("unix:///dev/log#dgram", (socket.SOCK_DGRAM, "/dev/log")),
        ("udp://Log:1514", (socket.SOCK_DGRAM, ("log", 1514))),
        ("tcp://[::1]", (socket.SOCK_STREAM, ("::1", 514))),
    ],
)
def test_addresses_of_syslog_are_read(text: str, expected: object) -> None:
    """For ``SysLogHandler``."""
    assert expected == glogging.parse_syslog_address(text)


def test_an_address_of_syslog_that_is_none() -> None:
    """Is gunicorn's exception."""
    with pytest.raises(RuntimeError, match="is no address"):
        glogging.parse_syslog_address("log")


def test_all_loggers_are_listed(log: Logger) -> None:
    """Those of others, too."""
    assert log.error_log in glogging.loggers()


def test_the_handler_of_the_settings_is_found(log: Logger) -> None:
    """Among those that were added."""
    log.error_log.addHandler(logging.NullHandler())

    found = log._get_gunicorn_handler(log.error_log)

    assert log.error_log.handlers[0] is found


def test_a_logger_gets_the_daemon_of_syslog(log: Logger, tmp_path: Path) -> None:
    """In the form that its class wants."""
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon.bind(str(tmp_path / "log"))
    cfg = Config(syslog=True, syslog_addr=f"unix://{tmp_path}/log", proc_name="shop")

    log._set_syslog_handler(log.error_log, cfg, "<%(message)s>", "error")
    log.error("hello")

    assert b"<11>gunicorn.shop.error: <hello>" == daemon.recv(1000)
    daemon.close()
