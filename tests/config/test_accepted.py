"""Settings of gunicorn's that are accepted and have no effect."""

from pathlib import Path

import pytest
from conftest import Serve

from tiamat.config import Config
from tiamat.config.accepted import INSTEAD, Accepted


def load(directory: Path, *words: str) -> Config:
    """The settings of a command that is given in *directory*."""
    return Config.load(words, {}, str(directory))


def test_each_has_a_line_that_says_what_is_so_instead() -> None:
    """No setting is ignored in silence."""
    assert set(INSTEAD) == set(Accepted.settings)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "dirty_workers = 2",
            "dirty_workers has no effect: there are no dirty arbiters",
        ),
        ("dirty_apps = ['a:B']", "a queue of tasks (Celery, RQ, dramatiq)"),
        ("def on_dirty_starting(arbiter): pass", "on_dirty_starting has no effect"),
        ("worker_tmp_dir = '/dev/shm'", "heartbeats are in shared memory"),
        ("permit_obsolete_folding = True", "requests are smuggled by it"),
        ("strip_header_spaces = True", "a space before the colon gets 400"),
        ("casefold_http_method = True", "reach the application as they came"),
        ("permit_unconventional_http_method = True", "every method that is a token"),
        ("permit_unconventional_http_version = True", "get 505"),
        ("control_socket_mode = 0o660", "the socket's mode is 0600"),
        ("asgi_disconnect_grace_period = 9", "the application gets http.disconnect"),
        ("default_proc_name = 'shop'", "the name of the application, or proc_name"),
    ],
)
def test_who_sets_one_hears_of_it_once(tmp_path: Path, text: str, line: str) -> None:
    """With file and line, and with what to use instead."""
    (tmp_path / "gunicorn.conf.py").write_text(f"\n{text}\n")

    (warning,) = load(tmp_path).warnings

    assert warning.startswith("gunicorn.conf.py, line 2: ")
    assert line in warning


def test_who_repeats_the_default_hears_nothing(tmp_path: Path) -> None:
    """A file that spells out gunicorn's defaults asks for nothing."""
    (tmp_path / "gunicorn.conf.py").write_text(
        "dirty_workers = 0\ndirty_apps = []\nworker_tmp_dir = None\n"
        "control_socket_mode = 0o600\npermit_obsolete_folding = False\n"
        "asgi_disconnect_grace_period = 3\n"
    )

    assert load(tmp_path).warnings == []


def test_flags_are_accepted_too(tmp_path: Path) -> None:
    """With the flag in the line."""
    (warning,) = load(tmp_path, "--worker-tmp-dir=/dev/shm").warnings

    assert warning.startswith("--worker-tmp-dir: worker_tmp_dir has no effect: ")


def test_a_server_says_it_in_its_log(serve: Serve) -> None:
    """Where people look when the command's output is gone; and it serves."""
    server = serve("apps.pid:app", config="worker_tmp_dir = '/dev/shm'\n")
    server.get()

    (line,) = [one for one in server.log.splitlines() if "has no effect" in one]
    assert "worker_tmp_dir has no effect: heartbeats are in shared memory" in line
