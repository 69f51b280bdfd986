"""Where settings come from, and which source wins."""

import sys
from pathlib import Path

import pytest

from tiamat.config import Config
from tiamat.errors import ConfigError


def load(directory: Path, *words: str, **environ: str) -> Config:
    """Load the settings of a command given in *directory*."""
    before = sys.path[:]
    try:
        return Config.load(words, environ, str(directory))
    finally:
        sys.path[:] = before


def test_later_sources_win(tmp_path: Path) -> None:
    """Defaults, environment, file, TIAMAT_CMD_ARGS, command line, in this order."""
    environ: dict[str, str] = {}
    config = load(tmp_path)
    assert (config.workers, config.origin("workers")) == (1, "default")

    environ["WEB_CONCURRENCY"] = "2"
    config = load(tmp_path, **environ)
    assert (config.workers, config.origin("workers")) == (2, "WEB_CONCURRENCY")

    (tmp_path / "tiamat.conf.py").write_text("\nworkers = 3\n")
    config = load(tmp_path, **environ)
    assert config.workers == 3
    assert config.origin("workers") == "tiamat.conf.py, line 2"

    environ["TIAMAT_CMD_ARGS"] = "--workers 4"
    config = load(tmp_path, **environ)
    assert (config.workers, config.origin("workers")) == (4, "TIAMAT_CMD_ARGS")

    config = load(tmp_path, "-w", "5", **environ)
    assert (config.workers, config.origin("workers")) == (5, "--workers")


def test_gunicorns_variable_stands_in_for_ours(tmp_path: Path) -> None:
    """GUNICORN_CMD_ARGS is read only if TIAMAT_CMD_ARGS is not set."""
    config = load(tmp_path, GUNICORN_CMD_ARGS="-w 2")
    assert (config.workers, config.origin("workers")) == (2, "GUNICORN_CMD_ARGS")

    config = load(tmp_path, GUNICORN_CMD_ARGS="-w 2", TIAMAT_CMD_ARGS="-t 5")
    assert (config.workers, config.timeout) == (1, 5.0)


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("PORT", "9000", "bind", ["0.0.0.0:9000"]),
        ("WEB_CONCURRENCY", "3", "workers", 3),
        ("FORWARDED_ALLOW_IPS", "*", "forwarded_allow_ips", ["*"]),
        ("SCRIPT_NAME", "/shop", "root_path", "/shop"),
        ("SENDFILE", "no", "sendfile", False),
        ("WEB_CONCURRENCY", "", "workers", 1),
    ],
)
def test_the_environment_replaces_some_defaults(
    tmp_path: Path, variable: str, text: str, name: str, value: object
) -> None:
    """The variables that gunicorn and hosting platforms know."""
    config = load(tmp_path, **{variable: text})

    assert value == config.values[name]
    assert (variable if text else "default") == config.origin(name)


def test_lists_are_replaced_not_extended(tmp_path: Path) -> None:
    """A bind on the command line is the only one, as in gunicorn."""
    (tmp_path / "tiamat.conf.py").write_text("bind = ['a:1', 'b:2']")

    assert load(tmp_path).bind == ["a:1", "b:2"]
    assert load(tmp_path, "-b", "c:3", PORT="4").bind == ["c:3"]


def test_the_file_may_be_named_in_the_environment(tmp_path: Path) -> None:
    """``-c`` in TIAMAT_CMD_ARGS counts, unless the command line has one."""
    (tmp_path / "one.py").write_text("workers = 2")
    (tmp_path / "two.py").write_text("workers = 3")

    assert load(tmp_path, TIAMAT_CMD_ARGS="-c one.py").workers == 2
    assert load(tmp_path, "-c", "two.py", TIAMAT_CMD_ARGS="-c one.py").workers == 3


def test_the_application_comes_from_the_command_line_or_the_file(
    tmp_path: Path,
) -> None:
    """The positional wins over wsgi_app; the environment can't name one."""
    (tmp_path / "tiamat.conf.py").write_text("wsgi_app = 'file:app'")

    assert load(tmp_path).app == "file:app"
    assert load(tmp_path, "line:app").app == "line:app"

    config = load(tmp_path, TIAMAT_CMD_ARGS="-w 2 env:app")
    assert config.app == "file:app"
    assert "the application 'env:app' is ignored there" in config.warnings[0]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("workesr = 2", "line 1: workesr is no setting; did you mean workers?"),
        ("Workers = 2", "line 1: Workers is no setting; did you mean workers?"),
        ("\ncolour = 1", "line 2: colour is no setting; begin its name with _ if"),
        ("config = 'x'", "line 1: config has no effect in the file"),
    ],
)
def test_strange_names_in_a_file_get_a_warning(
    tmp_path: Path, text: str, warning: str
) -> None:
    """Nothing that looks like a setting is ignored in silence."""
    (tmp_path / "gunicorn.conf.py").write_text(text)

    (found,) = load(tmp_path).warnings

    assert found.startswith("gunicorn.conf.py, line")
    assert warning in found


@pytest.mark.parametrize(
    "text",
    [
        "import os, logging.config",
        "from os import path as config",
        "from os.path import exists as reload, join as user, isfile as group",
        "_mine = 1",
        "cores = 2\nworkers = cores",
        "def helper(): pass",
        "class Helper: pass",
        "reload = False",
        "user = None\ngroup = None\ndaemon = None\nsendfile = None\nbind = None",
        "errorlog = None\nraw_env = None\nforwarded_allow_ips = None",
        "certfile = None",
        "def post_fork(server, worker): pass",
    ],
)
def test_what_a_file_needs_for_itself_gets_none(tmp_path: Path, text: str) -> None:
    """Imports, helpers, and settings switched off are no slips."""
    (tmp_path / "tiamat.conf.py").write_text(text)

    assert load(tmp_path).warnings == []


def test_imported_values_and_hooks_are_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may gather its settings from other modules."""
    (tmp_path / "tiamat_test_shared.py").write_text(
        "workers = 3\ndef post_fork(server, worker): pass\n"
    )
    (tmp_path / "tiamat.conf.py").write_text(
        "from tiamat_test_shared import workers, post_fork\n"
    )

    config = load(tmp_path)

    assert config.workers == 3
    assert config.post_fork is not None
    assert config.post_fork.__name__ == "post_fork"
    assert config.origin("workers") == "tiamat.conf.py, line 1"
    monkeypatch.delitem(sys.modules, "tiamat_test_shared")


@pytest.mark.parametrize(
    ("words", "environ", "file", "complaint"),
    [
        (
            ["-w", "four"],
            {},
            "",
            "--workers 'four' is not a whole number of 1 or more,"
            ' nor "auto" (one per usable processor)',
        ),
        (
            [],
            {},
            "x = 1\nworkers = 'four'",
            "tiamat.conf.py, line 2: workers = 'four' is not a whole number of 1 or"
            ' more, nor "auto" (one per usable processor)',
        ),
        (
            [],
            {"WEB_CONCURRENCY": "0"},
            "",
            "WEB_CONCURRENCY: workers = '0' is not a whole number of 1 or more,"
            ' nor "auto" (one per usable processor)',
        ),
        (
            [],
            {"PORT": "http"},
            "",
            "PORT: bind = '0.0.0.0:http' is no address to listen on:"
            " 'http' is no port; ports are 0 to 65535",
        ),
        (
            [],
            {"TIAMAT_CMD_ARGS": "-t soon"},
            "",
            "TIAMAT_CMD_ARGS: timeout = 'soon' is not a number of seconds;"
            " write 30, or 0.5",
        ),
        (
            [],
            {"TIAMAT_CMD_ARGS": "-t '5"},
            "",
            "TIAMAT_CMD_ARGS=\"-t '5\" can't be read: No closing quotation",
        ),
        (
            [],
            {},
            "def post_fork(server): pass",
            "tiamat.conf.py, line 1: post_fork = ",
        ),
        (
            [],
            {},
            "def worker_class(): raise KeyError('x')",
            "fails: KeyError: 'x'",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_place(
    tmp_path: Path, words: list[str], environ: dict[str, str], file: str, complaint: str
) -> None:
    """Setting, value, place and cure, in one sentence."""
    (tmp_path / "tiamat.conf.py").write_text(file)

    with pytest.raises(ConfigError) as caught:
        load(tmp_path, *words, **environ)

    assert complaint in str(caught.value)
