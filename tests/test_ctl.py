"""``tiamatctl``: the command, as a person meets it."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import command, ctl, data_of
from conftest import Serve

from tiamat.ctl import parser
from tiamat.master.commands import COMMANDS


def test_help_is_the_commands_docstrings() -> None:
    """Of all, and of each with what it takes."""
    done = ctl("--help")
    words = " ".join(done.stdout.split())

    assert 0 == done.returncode
    for one in COMMANDS.values():
        assert (one.__doc__ or "").strip().partition("\n")[0] in words

    assert "the number of its slot" in ctl("restart", "--help").stdout


def test_wrong_usage_is_status_2() -> None:
    """Before anybody is asked."""
    for words in ([], ["sing"], ["scale", "many"], ["scale"], ["status", "now"]):
        assert 2 == ctl(*words).returncode, words


def test_options_may_stand_on_either_side(tmp_path: Path) -> None:
    """Nobody should have to remember where."""
    for words in (
        (f"--socket={tmp_path}/none", "status", "--json"),
        ("--json", "status", f"--socket={tmp_path}/none"),
        ("scale", "2", f"--socket={tmp_path}/none"),
    ):
        done = ctl(*words)

        assert 3 == done.returncode, done.stderr
        assert f"no server at {tmp_path}/none" in done.stderr

    options = parser().parse_args(["--json", "status"])

    assert options.json
    assert not parser().parse_args(["status"]).json
    assert parser().parse_args(["status", "--json"]).json


def test_its_imports_are_light() -> None:
    """It asks; what serves is not loaded for that."""
    text = "import sys, tiamat.ctl; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", text],
        env={"PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {*done.stdout.split()}

    assert "tiamat.master.commands" in loaded
    assert not loaded & {"asyncio", "logging", "inspect", "httptools", "tiamat.config"}


# --- Nobody there -----------------------------------------------------------------


def test_no_server_is_status_3(tmp_path: Path) -> None:
    """Nothing there, something dead there, nothing found."""
    dead = tmp_path / "dead"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(dead))

    for path, why in (
        (tmp_path / "none", "there is no such file"),
        (dead, "the server that was there is gone"),
    ):
        done = ctl(f"--socket={path}", "status")

        assert 3 == done.returncode
        assert f"tiamatctl: no server at {path}: {why}\n" == done.stderr

    done = ctl("status", XDG_RUNTIME_DIR=str(tmp_path))

    assert 3 == done.returncode
    assert f"no control socket at {tmp_path}/tiamat/*, " in done.stderr
    assert "give --socket PATH" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_no_permission_is_status_4(tmp_path: Path) -> None:
    """And says who has it."""
    text = (
        "import os, sys; from tiamat.ctl import main, parser\n"
        "parser().format_help()  # loads what argparse needs, while we may read it\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        tmp_path.chmod(0o700)
        done = subprocess.run(
            [sys.executable, "-c", text, f"--socket={path}", "status"],
            capture_output=True,
            text=True,
            check=False,
        )

    assert 4 == done.returncode
    assert "not allowed to ask at" in done.stderr
    assert "root and the user of the server are" in done.stderr


@pytest.fixture
def rude(tmp_path: Path) -> Iterator[Path]:
    """A server that answers with what is in the file ``answer``, and hangs up."""
    path = tmp_path / "rude"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        sock, _ = listener.accept()
        sock.sendall((tmp_path / "answer").read_bytes())
        sock.recv(1000)
        sock.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield path
    thread.join()
    listener.close()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "it hung up"),
        (b"SSH-2.0\n", "it speaks another language"),
        (b"[]\n", "it speaks another language"),
        (b'{"status": "well"}\n', "it speaks another language"),
    ],
)
def test_what_is_no_answer_is_told(
    rude: Path, tmp_path: Path, answer: bytes, why: str
) -> None:
    """Some other server's socket, for example."""
    (tmp_path / "answer").write_bytes(answer)
    done = ctl(f"--socket={rude}", "status")

    assert 3 == done.returncode
    assert f"no answer from the server at {rude}: {why}\n" in done.stderr


# --- Somebody there ---------------------------------------------------------------


def test_a_server_at_the_usual_place_is_found(serve: Serve, tmp_path: Path) -> None:
    """One is asked, dead ones are left aside, of two one has to be chosen."""
    session = tmp_path / "tiamat"
    one = serve("apps.pid:app", f"--control-socket={session / 'one'}")
    one.wait_for_log("serves")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(session / "dead"))
    done = ctl("status", XDG_RUNTIME_DIR=str(tmp_path))

    assert 0 == done.returncode
    assert f"pid {one.pid}, " in done.stdout

    two = serve("apps.pid:app", f"--control-socket={session / 'two'}")
    two.wait_for_log("serves")
    done = ctl("status", XDG_RUNTIME_DIR=str(tmp_path))

    assert 4 == done.returncode
    assert (
        "tiamatctl: several servers are running; choose one with --socket:\n"
        f"  {session / 'one'}\n"
        f"  {session / 'two'}\n"
    ) == done.stderr
    assert two.pid == data_of(session / "two", "status")["pid"]


def test_a_reader_that_has_enough_is_no_failure(serve: Serve, tmp_path: Path) -> None:
    """``tiamatctl config | head``."""
    path = tmp_path / "c" / "control"
    server = serve("apps.pid:app", f"--control-socket={path}")
    server.wait_for_log("serves")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command(f"--socket={path}", "config"),
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)

    assert (0, b"") == (done.returncode, done.stderr)
