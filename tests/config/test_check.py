"""``--check-config``: everything that can be found out without serving."""

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tiamat.config import Config
from tiamat.config.check import Finding, check
from tiamat.errors import ConfigError
from tiamat.workers import load_worker_class

GOOD = """
    def application(environ, start_response): return []
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with an application, in which this process works."""
    (tmp_path / "tiamat_test_app.py").write_text(textwrap.dedent(GOOD))
    monkeypatch.chdir(tmp_path)
    before = sys.path[:]
    yield tmp_path
    sys.path[:] = before


def findings(app: str = "tiamat_test_app", **values: Any) -> list[Finding]:
    """What is found wrong with these settings."""
    config = Config(**{"bind": "127.0.0.1:0", "wsgi_app": app} | values)
    config.enter()
    found = check(config, load_worker_class)
    config.leave()
    return found


def texts(*arguments: str, **values: Any) -> list[str]:
    """The texts of ``findings``."""
    return [finding.text for finding in findings(*arguments, **values)]


def test_nothing_is_wrong_with_good_settings(site: Path) -> None:
    """And nothing is left behind: no module, no socket, no file."""
    settings: dict[str, Any] = {
        "bind": ["127.0.0.1:0", f"unix:{site}/x.sock", "fd://77"],
        "errorlog": f"{site}/log",
        "accesslog": "/dev/stdout",
        "pidfile": "tiamat.pid",
        "tmp_upload_dir": str(site),
        "stdout_path": "out",
        "helpers": {"queue": "true --yes", "cron": "tiamat_test_app:application"},
        "logconfig_dict": {"loggers": {"tiamat.error": {"level": "INFO"}}},
    }

    assert findings(**settings) == []
    assert "tiamat_test_app" not in sys.modules
    assert os.listdir(site) in (
        ["tiamat_test_app.py"],
        sorted(["tiamat_test_app.py", "__pycache__"]),
        sorted(["tiamat_test_app.py", "__pycache__"], reverse=True),
    )


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("import no_such_dependency", "No module named 'no_such_dependency'"),
        ("raise SystemExit(0)", "it called sys.exit(0)"),
        (
            "import os; os._exit(7)",
            "importing 'broken' ended the process with status 7",
        ),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "importing 'broken' crashed the process with SIGKILL",
        ),
        (
            "import threading; threading.Event().wait()",
            "importing 'broken' takes longer than 0.5 seconds",
        ),
        ("raise KeyboardInterrupt", "importing 'broken' failed: KeyboardInterrupt"),
        ("application = 5", "'broken' is no application but an int"),
    ],
)
def test_an_application_that_fails_is_told(
    site: Path, source: str, complaint: str
) -> None:
    """Whatever it does while it is imported, the check goes on and says so."""
    (site / "broken.py").write_text(source)

    (found,) = texts("broken", boot_timeout=0.5 if "Event" in source else 60)

    assert complaint in found


@pytest.mark.parametrize(
    ("source", "name", "complaint"),
    [
        (
            "async def application(scope, receive, send): pass",
            "sync",
            "'app' is an ASGI application, which the sync worker does not serve;",
        ),
        (
            "def application(scope): pass",
            None,
            "'app' is called with one argument, as applications of ASGI 2 were,",
        ),
    ],
)
def test_an_application_for_another_worker_is_told(
    site: Path, source: str, name: str | None, complaint: str
) -> None:
    """With what serves it."""
    (site / "app.py").write_text(source)

    (found,) = texts("app", worker_class=name)

    assert complaint in found


@pytest.mark.parametrize(
    ("source", "wrong"),
    [("def application(environ, start_response): return []", 0), ("1 / 0", 1)],
)
def test_an_application_that_is_preloaded_is_checked_as_any(
    site: Path, source: str, wrong: int
) -> None:
    """``preload_app`` says who loads it, and not what is found out."""
    (site / "app.py").write_text(source)
    found = texts("app", preload_app=True)

    assert wrong == len(found)
    assert found == texts("app")
    assert "app" not in sys.modules


def test_without_a_worker_class_both_interfaces_are_well(site: Path) -> None:
    """The workers will choose theirs."""
    (site / "app.py").write_text("async def application(scope, receive, send): pass")

    assert [] == texts("app")


def test_no_application_is_told(site: Path) -> None:
    """There is nothing to serve."""
    assert texts("") == ["no application; name it: tiamat module:name"]


def test_a_child_of_the_application_does_not_keep_the_check_waiting(
    site: Path,
) -> None:
    """An application that starts processes while it is imported is checked too."""
    forking = """
        import os
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(writer)
            os.read(reader, 1)  # until its parent is gone
            os._exit(0)
    """
    source = textwrap.dedent(forking) + textwrap.dedent(GOOD)
    (site / "forking.py").write_text(source)

    assert texts("forking") == []


def test_a_parser_that_is_not_there_is_told(site: Path) -> None:
    """Else the first worker would find out."""
    (found,) = texts(http_parser="no_such_module:Parser")

    assert "http_parser = 'no_such_module:Parser' can't be imported" in found


def test_a_worker_class_that_is_not_there_is_told(site: Path) -> None:
    """The registry of worker classes knows what exists."""

    def refuse(name: object, threads: int) -> object:
        raise ConfigError(f"no worker class {name}")

    config = Config(bind="127.0.0.1:0", wsgi_app="tiamat_test_app", worker_class="x")
    config.enter()

    assert check(config, refuse) == [Finding("no worker class x")]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (
            {"logger_class": "tiamat.nope:Log"},
            "logger_class = 'tiamat.nope:Log' can't be imported",
        ),
        (
            {"logger_class": dict},
            "is no logger: it has no debug, info, warning, error, critical,"
            " exception, access, access_wanted, hold, flush, reopen, chown, detach,"
            " close",
        ),
        (
            {"logconfig": "none.ini"},
            "logconfig = 'none.ini' is no logging configuration:"
            " [Errno 2] No such file or directory: 'none.ini'",
        ),
        (
            {"logconfig_dict": {"handlers": {"x": {"class": "no.such"}}}},
            "is no logging configuration: Unable to configure handler 'x'",
        ),
        ({"errorlog": "none/log"}, "errorlog = 'none/log' has no directory; make "),
        ({"accesslog": "/"}, "accesslog = '/' is a directory, not a file"),
        ({"pidfile": "/no/such/pid"}, "pidfile = '/no/such/pid' has no directory"),
        (
            {"tmp_upload_dir": "/no/such"},
            "tmp_upload_dir = '/no/such' is no directory that we may write in",
        ),
        (
            {"pythonpath": "/no/such"},
            "pythonpath = '/no/such' names '/no/such', which does not exist",
        ),
        ({"stdout_path": "/no/such/out"}, "stdout_path = '/no/such/out' has no direc"),
        (
            {"helpers": {"queue": "no-such-command -A shop"}},
            "helpers['queue'] = 'no-such-command -A shop' can't be run: there is no"
            " command 'no-such-command' in PATH",
        ),
        (
            {"helpers": {"queue": "./no-such-command"}},
            "there is no command './no-such-command' in /",
        ),
        (
            {"helpers": {"queue": "./tiamat_test_app.py"}},
            "./tiamat_test_app.py is not executable",
        ),
        (
            {"helpers": {"queue": "LEVEL=1 true"}},
            "there is no command 'LEVEL=1'; no shell reads it, so write env LEVEL=1",
        ),
        (
            {"helpers": {"cron": "tiamat_test_nope:run"}},
            "helpers['cron'] = 'tiamat_test_nope:run' can't be called: no module",
        ),
        (
            {"helpers": {"cron": "tiamat_test_app:run"}},
            "can't be called: module 'tiamat_test_app' has no attribute 'run'",
        ),
        ({"bind": "203.0.113.113:0"}, "no interface of this machine has that address"),
        ({"bind": "unix:/no/such/x.sock"}, "make its directory first"),
    ],
)
def test_what_can_not_be_opened_is_told(
    site: Path, values: dict[str, Any], complaint: str
) -> None:
    """Logger, files and addresses, each with its setting."""
    (found,) = texts(**values)

    assert complaint in found


def test_all_problems_are_told_at_once(site: Path) -> None:
    """One run shows everything, so that nobody mends one thing at a time."""
    found = texts(
        "nope", errorlog="none/log", bind=["203.0.113.113:0", "203.0.113.114:0"]
    )

    assert len(found) == 4


def test_an_address_in_use_is_a_note(site: Path) -> None:
    """It may be the very server that shall be reloaded."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        keep = [sys.executable, "-c", "input()"]
        other = subprocess.Popen(
            keep, pass_fds=[server.fileno()], stdin=subprocess.PIPE
        )
    (found,) = findings(bind=f"127.0.0.1:{port}")
    other.communicate(b"\n")

    assert found.is_note
    assert "no problem if it is the one to be reloaded" in found.text


def test_a_helper_is_told_of_with_its_place(site: Path) -> None:
    """The file, and the line of the setting."""
    file = site / "tiamat.conf.py"
    file.write_text('# A site.\n\nhelpers = {"queue": "no-such-command"}\n')
    checked = subprocess.run(
        [sys.executable, "-m", "tiamat", "--check-config", "tiamat_test_app"],
        capture_output=True,
        text=True,
    )

    assert f"{file.name}, line 3: helpers['queue'] = 'no-such-command'" in (
        checked.stdout + checked.stderr
    )
    assert checked.returncode != 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_is_told(site: Path) -> None:
    """Permissions are looked at without writing anything."""
    (site / "log").touch(mode=0o400)

    (found,) = texts(errorlog="log")

    assert "can't be written: permission denied" in found
