"""Calls of the log that carry figures."""

import socket
from pathlib import Path

from running import LIMIT

from tiamat.config import Config
from tiamat.config.named import open_log
from tiamat.observe.statsd_log import StatsdLog


def test_calls_of_the_log_carry_figures(tmp_path: Path) -> None:
    """gunicorn's interface, whatever the level; lines are counted by theirs."""
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon.settimeout(LIMIT)
    daemon.bind(str(tmp_path / "statsd"))
    log = open_log(
        Config(
            statsd_host=f"unix://{tmp_path}/statsd",
            errorlog=str(tmp_path / "log"),
            loglevel="error",
        )
    )

    log.debug("x", extra={"metric": "a", "value": 0, "mtype": "gauge"})
    log.info("", extra={"metric": "b", "value": 2, "mtype": "counter"})
    log.log(40, "", extra={"metric": "c", "value": 3, "mtype": "timer"})
    log.info("no figure", extra={"user": "me"})
    log.warning("w")
    log.error("e")
    log.critical("c")
    log.flush()

    found = daemon.recv(9999).decode().split("\n")
    log.close()
    daemon.close()

    assert isinstance(log, StatsdLog)
    expected = ["a:0|g", "b:2|c|@1.0", "c:3|ms"]
    levels = [f"gunicorn.log.{x}:1|c|@1.0" for x in ("warning", "error", "critical")]
    assert expected + levels == found
    assert 2 == len((tmp_path / "log").read_text().splitlines())
