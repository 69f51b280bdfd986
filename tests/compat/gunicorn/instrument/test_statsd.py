"""gunicorn's logger that tells figures."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import LIMIT

from tiamat.compat.gunicorn.instrument.statsd import Statsd
from tiamat.config import Config
from tiamat.config.named import open_log


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[socket.socket]:
    """What figures are told to."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.settimeout(LIMIT)
    sock.bind(str(tmp_path / "statsd"))
    yield sock
    sock.close()
    for name in ("gunicorn.error", "gunicorn.access"):
        logging.getLogger(name).handlers.clear()


class Mine(Statsd):
    """A site's own."""


def opened(tmp_path: Path) -> Mine:
    """A log of that class."""
    log = open_log(
        Config(
            logger_class=Mine,
            errorlog=str(tmp_path / "log"),
            statsd_host=f"unix://{tmp_path}/statsd",
            statsd_prefix="shop",
            dogstatsd_tags="env:test",
        )
    )
    assert isinstance(log, Mine)
    return log


def test_it_tells_figures(tmp_path: Path, daemon: socket.socket) -> None:
    """By methods, and by calls of the log."""
    log = opened(tmp_path)

    log.gauge("a", 1)
    log.increment("b", 2)
    log.decrement("b", 1, 0.5)
    log.timer("c", 3)
    log.histogram("d", 4)
    log.info("", extra={"metric": "e", "value": 5, "mtype": "gauge"})
    log.log("warning", "hello")
    log.flush()

    lines = ["a:1|g", "b:2|c|@1.0", "b:-1|c|@0.5", "c:3|ms", "d:4|h", "e:5|g"]
    assert [f"shop.{line}|#env:test" for line in lines] == (
        daemon.recv(9999).decode().split("\n")
    )
    assert ("shop", "env:test") == (log.prefix, log.dogstatsd_tags)
    assert "hello" in (tmp_path / "log").read_text()
    log.close()


def test_it_logs_without_a_daemon(tmp_path: Path) -> None:
    """And tells nobody."""
    log = Mine(Config(errorlog=str(tmp_path / "log")))

    log.increment("a", 1)
    log.warning("hello")

    assert "hello" in (tmp_path / "log").read_text()
    assert log.sock is None
    log.close()
