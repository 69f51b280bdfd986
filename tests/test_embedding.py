"""``tiamat.serve``: a server in a program of the user's."""

import signal
import sys
from pathlib import Path

import pytest
from conftest import Serve

import tiamat
from tiamat.errors import ConfigError

SCRIPT = """#!{python}
import os, sys
import tiamat

flags = dict(word[2:].split("=", 1) for word in sys.argv[1:])

def app(environ, start_response):
    start_response("200 OK", [])
    return [f"{{os.getpid()}} {{os.environ['COLOUR']}}".encode()]

{serve}
"""

SERVE = """
status = tiamat.serve(
    app, bind=flags["bind"], errorlog=flags["error-logfile"], workers=2,
    raw_env=["COLOUR=green"], worker_tmp_dir="/dev/shm", **{more})
print("ended with", status, "COLOUR" in os.environ)
"""

FAILS = """
try:
    tiamat.serve(app, bind=flags["bind"], workesr=2)
except tiamat.errors.TiamatError as error:
    print("refused:", error)
"""


def program(directory: Path, serve: str) -> str:
    """A program that serves in this way; its path."""
    path = directory / "program"
    path.write_text(SCRIPT.format(python=sys.executable, serve=serve))
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("more", ["{}", "{'preload_app': True}"])
def test_an_object_is_served(serve: Serve, tmp_path: Path, more: str) -> None:
    """With settings by name, over a reload, until TERM; then the program goes on."""
    server = serve("", program=program(tmp_path, SERVE.format(more=more)))
    first = server.get().text
    server.wait_for_log("worker 1 gen=1 pid=\\d+ serves")
    server.signal(signal.SIGHUP)
    server.wait_for_log("every worker is of generation 2")

    assert "green" == first.split()[1] == server.get().text.split()[1]
    assert "serving __main__:app with 2 workers" in server.log
    assert 0 == server.stop()
    assert "tiamat: warning: serve(): worker_tmp_dir has no effect" in server.output
    assert "ended with 0 False\n" in server.output


def test_what_is_wrong_is_an_exception(serve: Serve, tmp_path: Path) -> None:
    """Of the same kinds as the command's errors, and the program goes on."""
    server = serve("", program=program(tmp_path, FAILS))

    assert 0 == server.process.wait(60)
    assert "refused: serve(): workesr is no setting" in server.output


def test_an_application_may_be_named(serve: Serve, tmp_path: Path) -> None:
    """And a file of settings, which is read only then."""
    (tmp_path / "server-0").mkdir()
    (tmp_path / "server-0" / "tiamat.conf.py").write_text("workers = 9\n")
    (tmp_path / "server-0" / "other.py").write_text("workers = 3\nproc_name = 'x'\n")
    text = (
        "tiamat.serve('apps.pid:app', bind=flags['bind'], workers=1,"
        " errorlog=flags['error-logfile'], config='other.py')"
    )
    server = serve("", program=program(tmp_path, text))

    assert server.get().text.isdecimal()
    assert "serving apps.pid:app with 1 worker\n" in server.log


def test_without_an_application_there_is_nothing_to_serve() -> None:
    """As for the command."""
    with pytest.raises(ConfigError, match="no application"):
        tiamat.serve("")
