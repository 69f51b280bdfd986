"""``tiamat``: the command, as a person meets it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import tiamat
from tiamat import cli


def command(
    directory: Path, *words: str, **environ: str
) -> "subprocess.CompletedProcess[str]":
    """Run ``python -m tiamat`` in *directory* until it ends."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    return subprocess.run(
        [sys.executable, "-m", "tiamat", *words],
        cwd=directory,
        env=kept | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_version_is_told(tmp_path: Path) -> None:
    """``tiamat --version`` and ``-v``."""
    for flag in ("--version", "-v"):
        done = command(tmp_path, flag)

        assert (done.returncode, done.stdout) == (0, f"tiamat {tiamat.__version__}\n")


def test_without_an_application_the_cure_is_told(tmp_path: Path) -> None:
    """Status 1, one line, and a guess from what lies there."""
    done = command(tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "tiamat: error: no application: name it on the command line"
        " (`tiamat module:name`), or as wsgi_app in the configuration file\n"
    )

    (tmp_path / "mysite").mkdir()
    (tmp_path / "mysite" / "wsgi.py").touch()
    assert "did you mean `tiamat mysite.wsgi`?" in command(tmp_path).stderr

    (tmp_path / "app.py").touch()
    assert "did you mean `tiamat app`?" in command(tmp_path).stderr


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["--workesr", "2"], 2, "there is no flag --workesr; did you mean --workers?"),
        (["a", "b"], 2, "one application is enough: what is 'b'?"),
        (["-t", "soon", "a"], 1, "--timeout 'soon' is not a number of seconds"),
        (["-c", "none.py", "a"], 1, "none.py does not exist"),
        (["--host", "a"], 2, "there is no flag --host; write --bind HOST:PORT"),
        (["--port=80", "a"], 2, "there is no flag --port; write --bind HOST:PORT"),
        (
            ["--factory", "a:b"],
            2,
            "there is no flag --factory; write 'module:factory()",
        ),
        (["--log-config=a.yaml", "a"], 1, "logconfig_dict, in the configuration file"),
        (["--log-config=a.json", "a"], 1, "--log-config-json reads JSON"),
        (["app.py"], 4, "'app.py' names a file; did you mean 'app'?"),
        (["-b", "8000", "a"], 1, "a port alone is no address; write 127.0.0.1:8000"),
    ],
)
def test_a_mistake_is_one_line_and_a_status(
    tmp_path: Path, words: list[str], status: int, text: str
) -> None:
    """2 for usage, 1 for settings, 4 for the application; never a traceback."""
    done = command(tmp_path, *words)

    assert status == done.returncode
    assert done.stderr.startswith("tiamat: error: ")
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_settings_are_printed_with_their_origins(tmp_path: Path) -> None:
    """``--print-config`` needs no application."""
    (tmp_path / "tiamat.conf.py").write_text("\nworkers = 3\nworkesr = 4\n")

    done = command(tmp_path, "--print-config", PORT="9000")

    assert done.returncode == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "workers = 3 # tiamat.conf.py, line 2" in lines
    assert "bind = ['0.0.0.0:9000'] # PORT" in lines
    assert done.stderr == (
        "tiamat: warning: tiamat.conf.py, line 3: workesr is no setting;"
        " did you mean workers?\n"
    )


def test_preload_is_printed_and_nothing_is_loaded(tmp_path: Path) -> None:
    """``--print-config`` shows ``preload_app``; ``--check-config`` beside it loads."""
    (tmp_path / "site_of_test.py").write_text("open('loaded', 'a').write('x')\n1 / 0\n")

    printed = command(tmp_path, "--print-config", "--preload", "site_of_test:app")
    loaded = (tmp_path / "loaded").exists()
    checked = command(
        tmp_path, "--print-config", "--check-config", "--preload", "site_of_test:app"
    )

    assert printed.returncode == 0
    assert "preload_app = True" in " ".join(printed.stdout.split())
    assert not loaded
    assert checked.returncode == 1
    assert "preload_app = True" in " ".join(checked.stdout.split())
    assert "ZeroDivisionError" in checked.stderr
    assert (tmp_path / "loaded").read_text() == "x"


def test_printing_into_a_pipe_that_closes_is_no_error(tmp_path: Path) -> None:
    """``tiamat --print-config | head -1``."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "tiamat", "--print-config"],
            cwd=tmp_path,
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )

    assert (done.returncode, done.stderr) == (0, b"")


def test_a_directory_that_is_gone_is_told(tmp_path: Path) -> None:
    """As after a deployment that removed it under the shell."""
    (tmp_path / "gone").mkdir()
    script = 'cd "$1" && rmdir "$1" && exec "$2" -c "$3" a:b'
    code = "import sys; from tiamat.cli import main; sys.exit(main())"
    words = [str(tmp_path / "gone"), sys.executable, code]

    done = subprocess.run(
        ["sh", "-c", script, "sh", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    expected = "tiamat: error: the current directory is gone; change to one that exists"
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_the_shells_name_of_the_directory_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A symlink to the current release stays one, for reloads and re-execs."""
    (tmp_path / "release-1").mkdir()
    (tmp_path / "current").symlink_to("release-1")
    monkeypatch.chdir(tmp_path / "current")

    monkeypatch.setenv("PWD", str(tmp_path / "current"))
    assert str(tmp_path / "current") == cli.start_directory()
    monkeypatch.setenv("PWD", "/somewhere/else")
    assert str(tmp_path / "release-1") == cli.start_directory()


WRONG = """\
bind = "127.0.0.1:{port}"
worker_class = "no_module_of_test:Class"
certfile = "{directory}/none.pem"
keyfile = "{directory}/none.pem"
wsgi_app = "no_site_of_test:app"
workesr = 4
errorlog = "/nowhere/error.log"
http_parser = "no_parser_of_test:Parser"
"""


def test_everything_wrong_is_found_at_once_with_its_line(tmp_path: Path) -> None:
    """Unknown names and busy ports are warnings, all else is an error."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        text = WRONG.format(port=busy.getsockname()[1], directory=tmp_path)
        (tmp_path / "gunicorn.conf.py").write_text(text)
        done = command(tmp_path, "--check-config")
    lines = done.stderr.splitlines()

    def line_of(start: str, words: str) -> bool:
        return any(line.startswith(start) and words in line for line in lines)

    assert 1 == done.returncode
    assert "Traceback" not in done.stderr
    for level, number, words in (
        ("note", 1, "is in use"),
        ("error", 2, "worker_class 'no_module_of_test:Class' can't be imported"),
        ("error", 3, "none.pem"),
        ("error", 5, "no_site_of_test"),
        ("warning", 6, "workesr is no setting; did you mean workers?"),
        ("error", 7, "errorlog = '/nowhere/error.log' has no directory"),
        ("error", 8, "no_parser_of_test"),
    ):
        start = f"tiamat: {level}: gunicorn.conf.py, line {number}: "
        assert line_of(start, words), f"{start}… {words}\n{done.stderr}"
