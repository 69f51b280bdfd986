"""gunicorn's ``Logger`` on our logs, and classes that derive from it."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import Serve
from running import wait_until

from tiamat.compat.logger import Logger, SafeAtoms
from tiamat.config import Config

Make = Callable[..., Logger]

ENVIRON = {
    "REMOTE_ADDR": "192.0.2.7",
    "REQUEST_METHOD": "GET",
    "RAW_URI": "/a%20b?x=1",
    "PATH_INFO": "/a b",
    "QUERY_STRING": "x=1",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_USER_AGENT": 'curl "8"',
    "HTTP_AUTHORIZATION": "Basic dXNlcjpwYXNz",
}


@pytest.fixture
def make() -> Iterator[Make]:
    """Make loggers that are closed at the end, and leave logging as it was."""
    made: list[Logger] = []

    def maker(kind: type[Logger] = Logger, **settings: object) -> Logger:
        made.append(kind(Config(**settings)))
        return made[-1]

    yield maker
    for logger in made:
        logger.close()
    for name in ("tiamat.error", "tiamat.access", "gunicorn.error", "gunicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).filters.clear()


def answered(logger: Logger) -> None:
    """Have it log a usual request."""
    response = SimpleNamespace(
        status="200 OK", sent=512, headers=[("Content-Type", "text/plain")]
    )
    request = SimpleNamespace(headers=[("X-ID", "7")])
    logger.access(response, request, ENVIRON, timedelta(seconds=1.234567))


def test_its_lines_are_those_of_gunicorn(make: Make, tmp_path: Path) -> None:
    """All atoms, the settings' format, and gunicorn's forms of its arguments."""
    format = (
        "%(h)s %(l)s %(u)s %(r)s %(s)s %(m)s %(U)s %(q)s %(H)s %(b)s %(B)s %(f)s"
        " %(a)s %(T)s %(M)s %(D)s %(L)s %(p)s %({x-id}i)s %({Content-Type}o)s"
        " %({request_method}e)s %({none}i)s %(zz)s %(t)s"
    )
    logger = make(accesslog=str(tmp_path / "access"))
    logger.cfg = SimpleNamespace(access_log_format=format)  # type: ignore[assignment]

    answered(logger)

    expected = (
        r"192\.0\.2\.7 - user GET /a%20b\?x=1 HTTP/1\.1 200 GET /a b x=1 HTTP/1\.1 512"
        rf' 512 - curl \\"8\\" 1 1234 1234567 1\.234567 <{os.getpid()}> 7 text/plain'
        r" GET - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]\n"
    )
    assert re.fullmatch(expected, (tmp_path / "access").read_text())


def test_a_formatter_finds_the_atoms_in_the_record(make: Make, tmp_path: Path) -> None:
    """The usual way to write JSON: ``record.args["m"]``."""
    records: list[logging.LogRecord] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    class Keeping(Logger):
        def setup(self, cfg: Config) -> None:
            super().setup(cfg)
            self.access_log.addHandler(Keeper())

    answered(make(Keeping, accesslog=str(tmp_path / "access")))

    atoms: Any = records[0].args
    assert ("GET", "/a b", "200", 1234) == tuple(atoms[k] for k in ("m", "U", "s", "M"))
    assert records[0].msg == Config().access_log_format
    assert "gunicorn.access" == records[0].name


def test_what_clients_send_ends_no_field() -> None:
    """Not by a quote, and not by the end of the line, as gunicorn lets them."""
    atoms = SafeAtoms({"a": 'x" 200 "\n', "{X}i": None, "s": 5})

    assert 'x\\" 200 \\"\\x0a' == atoms["a"]
    assert ("-", "-", 5) == (atoms["{x}i"], atoms["none"], atoms["s"])


def test_a_class_may_choose_its_forms_and_atoms(make: Make, tmp_path: Path) -> None:
    """``error_fmt``, ``datefmt``, ``atoms``: what subclasses set."""

    class Mine(Logger):
        error_fmt = "%(asctime)s|%(levelname)s|%(message)s"
        datefmt = "T"

        def atoms(self, *seen: Any) -> dict[str, Any]:
            return {**super().atoms(*seen), "U": "/hidden"}

        def now(self) -> str:
            return "now"

    logger = make(
        Mine,
        errorlog=str(tmp_path / "error"),
        accesslog=str(tmp_path / "access"),
        access_log_format="%(t)s %(U)s",
    )

    logger.log("warning", "%d workers", 3)
    answered(logger)

    assert "T|WARNING|3 workers\n" == (tmp_path / "error").read_text()
    assert "now /hidden\n" == (tmp_path / "access").read_text()


def test_a_class_may_set_handlers_as_gunicorn_does(make: Make, tmp_path: Path) -> None:
    """``_set_handler`` is not public, but it is what classes that write JSON call."""
    formatter = logging.Formatter('{"m": "%(message)s"}')

    class Json(Logger):
        def setup(self, cfg: Config) -> None:
            super().setup(cfg)
            self._set_handler(self.error_log, cfg.errorlog, formatter)
            self._set_handler(self.access_log, str(tmp_path / "other"), formatter)

    logger = make(Json, errorlog=str(tmp_path / "log"), access_log_format="%(m)s")

    logger.error("hello")
    answered(logger)

    assert '{"m": "hello"}\n' == (tmp_path / "log").read_text()
    assert '{"m": "GET"}\n' == (tmp_path / "other").read_text()


def test_a_class_may_open_nothing_at_all(make: Make) -> None:
    """As those do that hand everything on to a library of theirs."""

    class Stub(Logger):
        def setup(self, cfg: Config) -> None:
            self.error_log.addHandler(logging.NullHandler())

    logger = make(Stub)
    logger.info("hello")
    logger.hold()
    logger.flush()
    logger.reopen()
    logger.chown(0, 0)
    logger.close_on_exec()

    assert logger.sinks == []


def test_a_class_that_fails_leaves_the_logs_as_they_were(
    make: Make, tmp_path: Path
) -> None:
    """A reload with a broken class goes on as before."""
    before = make(errorlog=str(tmp_path / "log"))

    class Broken(Logger):
        def setup(self, cfg: Config) -> None:
            super().setup(cfg)
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        make(Broken, errorlog=str(tmp_path / "other"))
    before.info("hello")

    assert "[INFO] hello" in (tmp_path / "log").read_text()


def test_files_are_opened_again_as_the_class_says(make: Make, tmp_path: Path) -> None:
    """``reopen_files`` is what USR1 calls, and may be overridden."""
    called = []

    class Mine(Logger):
        def reopen_files(self) -> None:
            called.append(self)
            super().reopen_files()

    path = tmp_path / "log"
    logger = make(Mine, errorlog=str(path))
    path.rename(tmp_path / "old")
    logger.reopen()
    logger.info("hello")

    assert [logger] == called
    assert "hello" in path.read_text()


SITE = """
import json
import logging
from tiamat.compat.logger import Logger

class NoHealth(logging.Filter):
    def filter(self, record):
        return record.args["U"] != "/health"

class Json(logging.Formatter):
    def format(self, record):
        atoms = record.args
        return json.dumps([atoms["m"], atoms["U"], atoms["s"], atoms["{host}i"][:9]])

class Mine(Logger):
    def setup(self, cfg):
        super().setup(cfg)
        logging.getLogger("gunicorn.access").addFilter(NoHealth())
        for handler in self.access_log.handlers:
            handler.setFormatter(Json())
"""


@pytest.mark.parametrize("kind", ["sync", "asgi"])
def test_a_site_s_logger_class_logs_its_requests(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    """Filters and formatters that were written for gunicorn, in a real server."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "site_logs.py").write_text(SITE)
    server = serve(
        "apps.varied:" + {"sync": "app", "asgi": "asgi"}[kind],
        *("--logger-class=site_logs.Mine", "--access-logfile=access.log", "-k", kind),
    )
    path = directory / "access.log"

    server.get("/health")
    server.get("/shop")
    wait_until(lambda: path.exists() and path.read_text(), "the line is there")

    assert '["GET", "/shop", "200", "127.0.0.1"]\n' == path.read_text()
    assert "[INFO] listening on" in server.log


def test_handlers_of_a_logconfig_get_gunicorn_s_records(
    serve: Serve, tmp_path: Path
) -> None:
    """Without a logger class, too: formatters of sites look into ``record.args``."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "site_logs.py").write_text(SITE)
    config = """
logconfig_dict = {
    "formatters": {"json": {"()": "site_logs.Json"}},
    "handlers": {
        "mine": {
            "class": "logging.FileHandler",
            "filename": "mine.log",
            "formatter": "json",
        }
    },
    "loggers": {
        "gunicorn.access": {"level": "INFO", "handlers": ["mine"], "propagate": False},
    },
}
"""
    server = serve("apps.pid:app", config=config)
    path = directory / "mine.log"

    server.get("/shop")
    wait_until(lambda: path.exists() and path.read_text(), "the line is there")

    assert '["GET", "/shop", "200", "127.0.0.1"]\n' == path.read_text()
