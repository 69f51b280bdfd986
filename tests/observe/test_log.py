"""The error log and the access log."""

import logging
import os
import pty
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tiamat.observe.log import Log

LINE = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[%d\] \[%s\] %s\n"

Open = Callable[..., Log]


@pytest.fixture
def open_log() -> Iterator[Open]:
    """Open logs that are closed at the end, and leave logging as it was."""
    logs: list[Log] = []
    loggers = [logging.getLogger(name) for name in ("", "tiamat.error")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]

    def opener(*arguments: Any, **options: Any) -> Log:
        logs.append(Log(*arguments, **options))
        return logs[-1]

    yield opener
    for log in logs:
        log.close()
    for name in ("tiamat.error", "tiamat.access", "gunicorn.error", "gunicorn.access"):
        for handler in logging.getLogger(name).handlers:
            handler.close()
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).filters.clear()
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


def test_lines_look_like_gunicorns(open_log: Open, tmp_path: Path) -> None:
    """Time, pid and level stand before the text, as log parsers expect."""
    log = open_log(str(tmp_path / "log"))

    log.info("listening at %s", "http://x")

    pattern = LINE % (os.getpid(), "INFO", "listening at http://x")
    assert re.fullmatch(pattern, (tmp_path / "log").read_text())


def test_less_important_lines_are_left_out(open_log: Open, tmp_path: Path) -> None:
    """``level`` is the least that is written."""
    log = open_log(str(tmp_path / "log"), level="warning")

    log.debug("no")
    log.info("no")
    log.warning("warning")
    log.error("error")
    log.critical("critical")
    log.log(logging.ERROR, "any")

    found = re.findall(r"\] (\w+)$", (tmp_path / "log").read_text(), re.MULTILINE)
    assert found == ["warning", "error", "critical", "any"]


def test_an_exception_is_written_with_its_traceback(
    open_log: Open, tmp_path: Path
) -> None:
    """``exception`` shows what happened and where."""
    log = open_log(str(tmp_path / "log"))

    try:
        raise KeyError("lost")
    except KeyError:
        log.exception("GET %s failed", "/x")

    text = (tmp_path / "log").read_text()
    assert "[ERROR] GET /x failed\nTraceback" in text
    assert text.endswith("KeyError: 'lost'\n")


def test_a_wrong_log_call_is_a_line_and_no_exception(
    open_log: Open, tmp_path: Path
) -> None:
    """A bug in a log call costs its line, not the request."""
    log = open_log(str(tmp_path / "log"))

    log.info("%d workers", "many")

    assert "a log call is wrong" in (tmp_path / "log").read_text()


def test_text_that_utf_8_cannot_hold_is_written_escaped(
    open_log: Open, tmp_path: Path
) -> None:
    """A path with undecodable bytes in it does not break the log."""
    log = open_log(str(tmp_path / "log"))

    log.info("file %s", "men\udcfc ü")

    assert "file men\\udcfc ü" in (tmp_path / "log").read_text()


def test_there_is_no_access_log_unless_asked_for(
    open_log: Open, capfd: pytest.CaptureFixture[str]
) -> None:
    """gunicorn's default: no access log, so lines need not be made."""
    log = open_log("-")

    log.access("line")

    assert not log.access_wanted
    assert capfd.readouterr() == ("", "")


def test_access_lines_go_to_the_standard_output(
    open_log: Open, capfd: pytest.CaptureFixture[str]
) -> None:
    """``-`` is the standard output for access lines, without a prefix."""
    log = open_log("-", "-")

    log.access("line")
    log.info("hello")

    out, err = capfd.readouterr()
    assert out == "line\n"
    assert err.endswith("hello\n")
    assert log.access_wanted


def test_the_access_lines_of_a_turn_leave_in_one_write(
    open_log: Open, tmp_path: Path
) -> None:
    """A loop that holds lines writes them together when it flushes."""
    path = tmp_path / "access"
    log = open_log("-", str(path))
    log.hold()

    log.access("one")
    log.access("two")
    assert path.read_text() == ""
    log.flush()

    assert path.read_text() == "one\ntwo\n"


def test_held_lines_are_written_when_the_log_is_closed(
    open_log: Open, tmp_path: Path
) -> None:
    """The last turn's lines are not lost; nor does a huge turn keep them all."""
    path = tmp_path / "access"
    log = open_log("-", str(path))
    log.hold()

    log.access("x" * 70_000)
    assert path.stat().st_size == 70_001
    log.access("last")
    log.close()

    assert path.read_text().endswith("\nlast\n")


def test_files_are_reopened(open_log: Open, tmp_path: Path) -> None:
    """After a rotation both logs go on in new files."""
    errors, accesses = tmp_path / "errors", tmp_path / "accesses"
    log = open_log(str(errors), str(accesses))
    errors.rename(tmp_path / "errors.1")
    accesses.rename(tmp_path / "accesses.1")

    log.reopen()
    log.info("new")
    log.access("new")

    assert "new" in errors.read_text()
    assert accesses.read_text() == "new\n"


def test_a_failed_reopening_is_said_in_the_old_file(
    open_log: Open, tmp_path: Path
) -> None:
    """If the directory is gone, lines go on where they went."""
    (tmp_path / "logs").mkdir()
    log = open_log(str(tmp_path / "logs" / "log"))
    (tmp_path / "logs").rename(tmp_path / "moved")

    log.reopen()

    text = (tmp_path / "moved" / "log").read_text()
    assert "can't reopen the log" in text
    assert "No such file or directory; going on with the old file" in text


def test_a_terminal_gets_colours_and_a_file_none(
    open_log: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warnings stand out on a terminal; NO_COLOR is honoured."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    master, slave = pty.openpty()
    saved = os.dup(2)
    os.dup2(slave, 2)
    try:
        open_log("-").warning("look")
        monkeypatch.setenv("NO_COLOR", "1")
        open_log("-").warning("plain")
    finally:
        os.dup2(saved, 2)
        for fd in (saved, slave):
            os.close(fd)
    shown = ""
    while shown.count("\n") < 2:  # a terminal hands over line by line
        shown += os.read(master, 10_000).decode()
    os.close(master)

    assert "\x1b[33m" in shown.splitlines()[0]
    assert "\x1b" not in shown.splitlines()[1]


def test_what_is_printed_can_be_captured(tmp_path: Path) -> None:
    """With ``capture_output`` the standard streams are the log's file."""
    path = tmp_path / "log"
    pid = os.fork()
    if pid == 0:
        Log(str(path), capture_output=True)
        os.write(1, b"printed\n")
        os.write(2, b"warned\n")
        os._exit(0)

    assert os.waitpid(pid, 0)[1] == 0
    assert path.read_text() == "printed\nwarned\n"


def test_a_dictionary_configures_our_loggers(open_log: Open, tmp_path: Path) -> None:
    """``logconfig_dict`` has the last word, for gunicorn's names too."""
    values = {
        "handlers": {
            "file": {
                "class": "logging.FileHandler",
                "filename": str(tmp_path / "mine"),
                "formatter": "short",
            }
        },
        "formatters": {"short": {"format": "%(levelname)s %(message)s"}},
        "loggers": {
            "tiamat.error": {"handlers": ["file"]},
            "gunicorn.access": {"handlers": ["file"], "level": "INFO"},
        },
    }
    log = open_log(str(tmp_path / "log"), logconfig=values)

    log.info("said")
    log.access("seen")

    assert log.access_wanted
    assert (tmp_path / "mine").read_text() == "INFO said\nINFO seen\n"


def test_a_file_configures_our_loggers(open_log: Open, tmp_path: Path) -> None:
    """``logconfig`` is a file for ``fileConfig``."""
    ini = tmp_path / "logging.ini"
    ini.write_text(
        f"""
[loggers]
keys=root,error
[handlers]
keys=file
[formatters]
keys=short
[logger_root]
handlers=
[logger_error]
qualname=gunicorn.error
handlers=file
level=INFO
propagate=0
[handler_file]
class=FileHandler
args=({str(tmp_path / "mine")!r},)
formatter=short
[formatter_short]
format=%(levelname)s %(message)s
"""
    )
    log = open_log(str(tmp_path / "log"), logconfig=str(ini))

    log.info("said")

    assert (tmp_path / "mine").read_text() == "INFO said\n"


@pytest.mark.parametrize(
    "options",
    [
        {"logconfig": {"handlers": {"x": {"class": "no.Such"}}}},
        {"logconfig": {"version": 7}},
        {"logconfig": __file__},
    ],
)
def test_a_wrong_configuration_leaves_the_old_log_in_use(
    open_log: Open, tmp_path: Path, options: dict[str, Any]
) -> None:
    """A reload whose logging configuration is wrong changes nothing."""
    old = open_log(str(tmp_path / "old"))

    with pytest.raises(ValueError, match=r".+"):
        open_log(str(tmp_path / "new"), **options)
    old.info("still here")

    assert "still here" in (tmp_path / "old").read_text()


def test_a_missing_configuration_file_is_named(open_log: Open, tmp_path: Path) -> None:
    """A logconfig that is not there is an error with its path."""
    with pytest.raises(FileNotFoundError, match=r"none\.ini"):
        open_log(logconfig=str(tmp_path / "none.ini"))


def test_an_old_log_can_be_closed_when_there_is_a_new_one(
    open_log: Open, tmp_path: Path
) -> None:
    """After a reload the old log's files are closed, and the new one goes on."""
    old = open_log(str(tmp_path / "old"), str(tmp_path / "old.access"))
    new = open_log(str(tmp_path / "new"), str(tmp_path / "new.access"))

    old.close()
    new.info("heard")
    new.access("seen")

    assert "heard" in (tmp_path / "new").read_text()
    assert (tmp_path / "new.access").read_text() == "seen\n"


def test_each_line_is_written_once_whoever_flushes(
    open_log: Open, tmp_path: Path
) -> None:
    """Threads hold lines together, and each of them flushes when it likes."""
    path = tmp_path / "access"
    log = open_log("-", str(path))
    log.hold()

    def write(name: int) -> None:
        for number in range(2000):
            log.access(f"{name} {number}")
            log.flush()

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    lines = path.read_text().splitlines()
    assert (8000, 8000) == (len(lines), len(set(lines)))


def test_who_takes_gunicorn_s_handlers_gets_ours(
    open_log: Open, tmp_path: Path
) -> None:
    """``app.logger.handlers = logging.getLogger("gunicorn.error").handlers``."""
    theirs = logging.getLogger("gunicorn.error")
    open_log(str(tmp_path / "log"), level="warning")
    application = logging.getLogger("site")

    application.handlers = theirs.handlers
    application.warning("by the application")
    theirs.error("by a hook")
    theirs.info("too little")
    application.handlers = []

    text = (tmp_path / "log").read_text()
    assert ["by the application", "by a hook"] == re.findall(r"\] (by .*)", text)


def test_a_filter_that_gunicorn_s_logger_gets_is_ours(
    open_log: Open, tmp_path: Path
) -> None:
    """Then access lines have to pass it, and none is written past it."""
    log = open_log("-", str(tmp_path / "access"))
    direct = log.access_direct
    no_health = logging.Filter()
    no_health.filter = lambda record: "/health" not in record.getMessage()  # type: ignore[method-assign]

    logging.getLogger("gunicorn.access").addFilter(no_health)
    for path in ("/", "/health"):
        log.access_log.info("GET %s", path)

    assert (True, False) == (direct, log.access_direct)
    assert "GET /\n" == (tmp_path / "access").read_text()
