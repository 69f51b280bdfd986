"""Records to a syslog daemon, which nobody waits for."""

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import Serve
from running import LIMIT

from tiamat.config import Config
from tiamat.config.named import open_log
from tiamat.errors import ConfigError
from tiamat.observe.log import Log
from tiamat.observe.syslog import Syslog, find, split

STREAM, DGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is closed at the end."""
    with ExitStack() as stack:
        yield stack
    for name in ("tiamat.error", "tiamat.access"):
        logging.getLogger(name).handlers.clear()


def daemon(stack: ExitStack, kind: int, path: Path | None = None) -> socket.socket:
    """A syslog daemon's socket."""
    sock = stack.enter_context(
        socket.socket(socket.AF_UNIX if path else socket.AF_INET, kind)
    )
    sock.settimeout(LIMIT)
    sock.bind(str(path) if path else ("127.0.0.1", 0))
    if kind == STREAM:
        sock.listen()
    return sock


def log_to(stack: ExitStack, address: str, *, access: bool = True) -> Log:
    """Logs that a daemon gets."""
    wanted = Syslog(find(address), 3, "gunicorn.site", access=access)
    log = Log(os.devnull, os.devnull, syslog=wanted)
    stack.callback(log.close)
    return log


def test_a_record_has_facility_severity_tag_and_pid(
    stack: ExitStack, tmp_path: Path
) -> None:
    """In gunicorn's form, which rules of daemons look for."""
    receiver = daemon(stack, DGRAM, tmp_path / "log")
    log = log_to(stack, f"unix://{tmp_path}/log")

    log.error("hello %s", "ü")
    log.access("GET /")

    pid = os.getpid()
    error, access = (receiver.recv(9999).decode() for _ in range(2))
    assert f"<27>gunicorn.site.error: [{pid}] hello ü" == error
    assert f"<30>gunicorn.site.access: [{pid}] GET /" == access


def test_the_access_log_may_stay_out(stack: ExitStack, tmp_path: Path) -> None:
    """``disable_redirect_access_to_syslog``."""
    receiver = daemon(stack, DGRAM, tmp_path / "log")
    log = log_to(stack, f"unix://{tmp_path}/log#dgram", access=False)

    log.access("GET /")
    log.info("hello")

    assert receiver.recv(9999).endswith(b"hello")
    assert log.access_direct


def test_udp_gets_a_datagram_for_each_record(stack: ExitStack) -> None:
    """RFC 5426, 3.1."""
    receiver = daemon(stack, DGRAM)
    log = log_to(stack, f"udp://127.0.0.1:{receiver.getsockname()[1]}")

    log.info("hello")

    assert receiver.recv(9999).endswith(b"hello")


@pytest.mark.parametrize(("scheme", "ending"), [("tcp", b"\n"), ("unix", b"\0")])
def test_a_stream_has_an_end_behind_each_record(
    stack: ExitStack, tmp_path: Path, scheme: str, ending: bytes
) -> None:
    """RFC 6587, 3.4.2; NUL on a Unix socket, as syslog(3) does."""
    path = tmp_path / "log" if scheme == "unix" else None
    listener = daemon(stack, STREAM, path)
    where = f"{path}" if path else f"127.0.0.1:{listener.getsockname()[1]}"
    log = log_to(stack, f"{scheme}://{where}")

    log.info("one")
    log.info("two")
    receiver = stack.enter_context(listener.accept()[0])
    receiver.settimeout(LIMIT)
    log.flush()
    data = b""
    while data.count(ending) < 2:
        data += receiver.recv(9999)

    assert [b"one", b"two", b""] == [d[-3:] for d in data.split(ending)]


def test_a_daemon_that_is_slow_loses_records_and_is_told(
    stack: ExitStack, tmp_path: Path
) -> None:
    """Nobody waits for it; the next record that fits is preceded by their number."""
    receiver = daemon(stack, DGRAM, tmp_path / "log")
    log = log_to(stack, f"unix://{tmp_path}/log")

    sent = 0
    wire = log.remote[0].wire  # type: ignore[attr-defined]
    while wire.dropped < 3:
        log.info("x" * 10_000)
        sent += 1
    taken = [receiver.recv(20_000) for _ in range(sent - 3)]
    log.info("there")

    assert all(record.endswith(b"x") for record in taken)
    assert b"[3 lines were dropped: nobody took them in time]" in receiver.recv(9999)
    assert receiver.recv(9999).endswith(b"there")


def test_a_daemon_that_is_started_anew_is_found(
    stack: ExitStack, tmp_path: Path
) -> None:
    """Records meanwhile are counted; it is looked for once a second."""
    path = tmp_path / "log"
    daemon(stack, DGRAM, path).close()
    path.unlink()
    log = log_to(stack, f"unix://{path}")
    handler = log.remote[0]

    def record(created: float) -> None:
        one = logging.makeLogRecord({"msg": f"at {created:g}", "levelno": 20})
        one.created = created
        handler.emit(one)

    record(1000.0)
    receiver = daemon(stack, DGRAM, path)
    record(1000.5)
    record(1001.5)

    assert b"[2 lines were dropped" in receiver.recv(9999)
    assert receiver.recv(9999).endswith(b"at 1001.5")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unix:///dev/log", ("unix", "/dev/log", "")),
        ("unix:///dev/log#stream", ("unix", "/dev/log", "stream")),
        ("udp://localhost", ("udp", "localhost", "514")),
        ("udp://[::1]:5140", ("udp", "::1", "5140")),
        ("tcp://logs.example.org:601", ("tcp", "logs.example.org", "601")),
    ],
)
def test_addresses_are_gunicorn_s(text: str, expected: tuple[str, ...]) -> None:
    """With their defaults."""
    assert expected == split(text)


@pytest.mark.parametrize(
    "text", ["/dev/log", "unix://", "unix:///x#seq", "udp://h:p", "http://x", "tcp:x"]
)
def test_others_are_none(text: str) -> None:
    """Told at the start, with the setting."""
    with pytest.raises(
        ConfigError, match=r"syslog_addr = .* is no address of a syslog"
    ):
        Config(syslog_addr=text)


def test_settings_become_what_is_wanted(stack: ExitStack, tmp_path: Path) -> None:
    """Facility by name, prefix with its colon replaced, as in gunicorn."""
    receiver = daemon(stack, DGRAM, tmp_path / "log")
    log = open_log(
        Config(
            syslog=True,
            syslog_addr=f"unix://{tmp_path}/log",
            syslog_facility="LOCAL0",
            proc_name="shop:app",
            errorlog=os.devnull,
        )
    )
    stack.callback(log.close)

    log.info("hello")

    assert receiver.recv(9999).startswith(b"<134>gunicorn.shop.app.error: [")
    with pytest.raises(ConfigError, match="is none of kern"):
        Config(syslog_facility="loud")


def test_a_server_s_logs_go_to_syslog(
    serve: Serve, stack: ExitStack, tmp_path: Path
) -> None:
    """Of the master and of each worker, errors and access lines."""
    receiver = daemon(stack, DGRAM, tmp_path / "log")
    server = serve(
        "apps.pid:app",
        *("--log-syslog", f"--log-syslog-to=unix://{tmp_path}/log"),
    )

    pid = server.get("/shop").text
    found = ""
    while "GET /shop" not in found:
        found += receiver.recv(9999).decode() + "\n"

    assert re.search(
        rf"<14>gunicorn.apps.pid.app.error: \[{server.pid}\] Tiamat", found
    )
    assert f"gunicorn.apps.pid.app.access: [{pid}] 127.0.0.1 - - [" in found
