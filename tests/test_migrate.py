"""``tiamatctl migrate``: what becomes of a site of gunicorn's."""

import json
from pathlib import Path

import pytest

from tiamat import ctl, migrate
from tiamat.errors import ConfigError

SERVICE = """
[Service]
Environment=WEB_CONCURRENCY=3 "SHOP_NAME=Green & Sons"
ExecStart=/srv/venv/bin/gunicorn \\
    --bind unix:/run/shop.sock --timeout=60 \\
    shop.wsgi:application
"""


def verdicts(*what: str) -> dict[str, str]:
    """By setting."""
    return {line.name: line.verdict for line in migrate.migrate(what)[1]}


def test_where_nothing_differs_the_status_is_0(tmp_path: Path) -> None:
    """A plain file: each setting with its value, its line, and a sentence."""
    path = tmp_path / "gunicorn.conf.py"
    path.write_text("bind = '0.0.0.0:8000'\nworkers = 4\nworker_class = 'gthread'\n")
    status, lines = migrate.migrate([str(path)])

    assert 0 == status
    assert ["bind", "workers", "worker_class"] == [line.name for line in lines]
    text = migrate.text(status, lines)
    assert "better    workers = 4 (gunicorn.conf.py, line 2)\n" in text
    assert text.endswith("\nnothing differs.")


@pytest.mark.parametrize(
    ("setting", "verdict"),
    [
        ("sendfile = True", "differs"),
        ("sendfile = False", "same"),
        ("keepalive = 5", "differs"),
        ("keepalive = 5\nthreads = 4", "same"),
        ("worker_class = 'shop.workers:Own'", "differs"),
        ("worker_class = 'gevent'", "same"),
        ("dirty_workers = 2", "not here"),
        ("dirty_workers = 0", "same"),
        ("umask = '22'", "differs"),
        ("umask = 0o022", "same"),
        ("control_socket = 'a.sock'", "differs"),
        ("def pre_fork(server, worker): pass", "same"),
        ("def pre_fork(server, worker): pass\npreload_app = True", "differs"),
        ("max_worker_age = 60", "ours"),
    ],
)
def test_it_depends_on_the_value(tmp_path: Path, setting: str, verdict: str) -> None:
    """What means the same there and here asks nobody to think."""
    (tmp_path / "gunicorn.conf.py").write_text(setting)
    name = setting.removeprefix("def ").partition("(")[0].partition(" ")[0]

    found = verdicts(str(tmp_path / "gunicorn.conf.py"))

    assert verdict == found[name]


def test_unknown_names_and_errors_are_told(tmp_path: Path) -> None:
    """Each is a reason to look."""
    path = tmp_path / "gunicorn.conf.py"
    path.write_text("workesr = 2\n")
    status, (line,) = migrate.migrate([str(path)])
    assert (1, "warning") == (status, line.name)
    assert "line 1: workesr is no setting; did you mean workers?" in line.words

    path.write_text("workers = 'many'\n")
    status, (line,) = migrate.migrate([str(path)])
    assert (1, "error") == (status, line.name)
    assert "line 1: workers = 'many' is not a whole number" in line.words


def test_a_unit_file_has_a_command_and_an_environment(tmp_path: Path) -> None:
    """Over several lines."""
    path = tmp_path / "shop.service"
    path.write_text(SERVICE)
    site = migrate.site([str(path)])

    assert {"WEB_CONCURRENCY": "3", "SHOP_NAME": "Green & Sons"} == site.environ
    assert ["bind", "workers", "timeout"] == [li.name for li in migrate.report(site)]


@pytest.mark.parametrize(
    ("name", "text", "settings"),
    [
        ("Procfile", "web: gunicorn shop:app --workers 2\n", {"workers"}),
        ("Procfile", "web: gunicorn -b 0.0.0.0:$PORT shop:app\n", {"bind"}),
        ("Procfile", "web: gunicorn -w ${WORKERS:-4} shop:app\n", {"workers"}),
        ("Procfile", "web: gunicorn -w $N --threads 2 a:b\n", {"$N", "threads"}),
        ("Procfile", "web: gunicorn --workers=$N a:b\n", {"--workers=$N"}),
        ("Dockerfile", 'CMD ["gunicorn", "-t", "9", "a:b"]\n', {"timeout"}),
        ("Dockerfile", "CMD exec gunicorn --threads 8 a:b\n", {"threads"}),
        ("start.sh", "exec python -m gunicorn -t 9 a:b\n", {"timeout"}),
    ],
)
def test_other_files_have_a_command_too(
    tmp_path: Path, name: str, text: str, settings: set[str]
) -> None:
    """With variables, which are replaced where they are known."""
    (tmp_path / name).write_text(text)

    assert settings == set(verdicts(str(tmp_path / name)))


def test_a_command_line_is_read_as_it_is() -> None:
    """In words, or as one text."""
    assert {"workers": "better"} == verdicts("gunicorn", "-w", "4", "shop:app")
    assert {"timeout": "better"} == verdicts("gunicorn -t 60 shop:app")
    status, (line,) = migrate.migrate(["gunicorn", "--workesr=4", "shop:app"])
    assert 1 == status
    assert "there is no flag --workesr; did you mean --workers?" in line.words


def test_what_is_no_gunicorn_is_an_error(tmp_path: Path) -> None:
    """And so is what can't be read."""
    (tmp_path / "Procfile").write_text("web: uvicorn shop:app\n")

    for what in (["uvicorn", "a:b"], [str(tmp_path / "Procfile")], ["none.service"]):
        with pytest.raises(ConfigError, match=r"no gunicorn|can't read"):
            migrate.migrate(what)


def test_the_command_prints_and_exits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 if nothing differs, 1 if something does, 2 if there is nothing to read."""
    monkeypatch.chdir(tmp_path)
    assert 2 == ctl.main(["migrate"])
    assert "tiamatctl: can't read gunicorn.conf.py" in capsys.readouterr().err

    assert 0 == ctl.main(["migrate", "gunicorn", "-w", "4", "shop:app"])
    assert "nothing differs." in capsys.readouterr().out

    Path("gunicorn.conf.py").write_text("keepalive = 5\n")
    assert 1 == ctl.main(["--json", "migrate", "gunicorn.conf.py"])
    (line,) = json.loads(capsys.readouterr().out)["data"]
    assert ("keepalive", "differs", "5.0") == (
        *(line["name"], line["verdict"], line["value"]),
    )
