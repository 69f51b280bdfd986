"""The first Tiamat's configuration: ``load()`` returns a dictionary."""

import signal
from pathlib import Path

import pytest
from conftest import Serve
from running import wait_until

from tiamat.config import Config
from tiamat.config.named import open_log
from tiamat.errors import ConfigError

ALL = """
def before_exec():
    pass

def before_fork(server):
    pass

def after_fork(server, worker):
    pass

def load():
    return {
        "tcp": "tcp6",
        "backlog": 128,
        "listen_addr": None,
        "listen_port": 3000,
        "workers": 3,
        "timeout": 45,
        "worker_app": "app.py",
        "daemonize": True,
        "working_directory": "/",
        "stderr_path": "/tmp/stderr",
        "stdout_path": "/tmp/stdout",
        "pidfile": "/tmp/pid",
        "before_exec": before_exec,
        "before_fork": before_fork,
        "after_fork": after_fork,
    }
"""


def load(directory: Path, text: str, *words: str) -> Config:
    """The settings of this configuration file."""
    (directory / "tiamat.conf.py").write_text(text)
    return Config.load(words, {}, str(directory))


def test_each_key_is_a_setting(tmp_path: Path) -> None:
    """With where it came from; hooks get what they take."""
    config = load(tmp_path, ALL)

    assert (["[::]:3000"], 128, 3, 45) == (
        *(config.bind, config.backlog, config.workers, config.timeout),
    )
    assert ("app.py", True, "/") == (config.script, config.daemon, config.chdir)
    assert ("/tmp/stderr", True) == (config.errorlog, config.capture_output)
    assert ("/tmp/stdout", "/tmp/pid") == (config.stdout_path, config.pidfile)
    assert config.pre_exec is not None
    assert config.pre_fork is not None
    assert config.post_fork is not None
    config.pre_exec("server")
    config.pre_fork("server", "worker")
    config.post_fork("server", "worker")
    assert "tiamat.conf.py, line 11, load(), tcp, listen_addr, listen_port" == (
        config.origin("bind")
    )
    assert "tiamat.conf.py, line 11, load(), workers" == config.origin("workers")


def test_names_in_the_file_and_flags_win(tmp_path: Path) -> None:
    """The file may say more than the dictionary, and in our words."""
    text = (
        "def load(): return {'workers': 3, 'timeout': 5, 'keepalive': 7}\ntimeout = 6\n"
    )
    config = load(tmp_path, text, "--workers=4")

    assert (4, 6, 7) == (config.workers, config.timeout, config.keepalive)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("def load(): return 1 / 0", r"load\(\) failed: ZeroDivisionError"),
        ("def load(): return [1]", r"returned \[1\], which is no dictionary"),
        ("def load(): return {'tcp': 'udp'}", "neither 'tcp4' nor 'tcp6'"),
        (
            "def load(): return {'listen_prot': 1}",
            r"load\(\), listen_prot: .* no setting",
        ),
        ("def load(): return {'workers': 'x'}", r"load\(\), workers: workers = 'x'"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, complaint: str) -> None:
    """With the line."""
    with pytest.raises(ConfigError, match=f"tiamat.conf.py, line 1.*{complaint}"):
        load(tmp_path, text)


def test_other_functions_of_that_name_are_none(tmp_path: Path) -> None:
    """Imported ones, and those that take arguments."""
    assert 1 == load(tmp_path, "from json import load\n").workers
    assert 1 == load(tmp_path, "def load(path): return 3\n").workers


def test_with_a_script_p_is_the_port(tmp_path: Path) -> None:
    """Otherwise, and as --pid, it is the file for the pid."""
    assert ["0.0.0.0:3000"] == load(tmp_path, "", "-s", "app.py", "-p", "3000").bind
    assert ["0.0.0.0:3000"] == load(tmp_path, "", "-p3000", "-s", "app.py").bind
    assert "3000" == load(tmp_path, "", "-s", "app.py", "--pid", "3000").pidfile
    assert "3000" == load(tmp_path, "", "app:app", "-p", "3000").pidfile
    with pytest.raises(ConfigError, match="-p 'x' is no port"):
        load(tmp_path, "", "-s", "app.py", "-p", "x")
    with pytest.raises(ConfigError, match="and so is --bind"):
        load(tmp_path, "", "-s", "app.py", "-p", "3000", "-b", "127.0.0.1:1")


PRINTS = """
import os, sys

def app(environ, start_response):
    os.write(1, b"to stdout\\n")
    os.write(2, b"to stderr\\n")
    start_response("200 OK", [])
    return [b"ok"]
"""

LOAD = """
def load():
    return {"stderr_path": "stderr", "stdout_path": "stdout"}
"""


def test_standard_streams_go_to_files_and_quit_is_soft(
    serve: Serve, tmp_path: Path
) -> None:
    """USR1 opens them again; QUIT lets a request finish, where that is wanted."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "prints.py").write_text(PRINTS)
    flags = f"--error-logfile={directory / 'error.log'}", "--quit-signal=graceful"
    server = serve("prints:app", *flags, config=LOAD)
    server.get()
    out, err = directory / "stdout", server.log_path

    assert "to stdout\n" == out.read_text()
    assert "to stderr\n" in err.read_text()

    out.rename(directory / "stdout.1")
    server.signal(signal.SIGUSR1)
    server.wait_for_log("logs reopened")

    def moved() -> bool:
        server.get()
        return out.exists() and "to stdout" in out.read_text()

    wait_until(moved, "the worker prints into the new file")
    server.signal(signal.SIGQUIT)

    assert 0 == server.wait_for_exit()
    assert "TERM: finishing what is here" in server.log


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """Before the logs that are in force are replaced."""
    with pytest.raises(ConfigError, match=r"stdout_path = .* can't be opened"):
        open_log(Config(stdout_path=str(tmp_path / "none" / "stdout")))
