"""Configuration files: found, executed, and each name traced to its line."""

import sys
import textwrap
from pathlib import Path

import pytest

from tiamat.config.files import ConfigFile, read_config_file
from tiamat.errors import ConfigError


def write(directory: Path, text: str, name: str = "tiamat.conf.py") -> Path:
    """Write a configuration file."""
    path = directory / name
    path.write_text(textwrap.dedent(text).lstrip("\n"))
    return path


def read(directory: Path, wanted: str = "") -> ConfigFile:
    """Read one that must be there."""
    file = read_config_file(wanted, str(directory))
    assert file is not None
    return file


def test_there_need_not_be_a_file(tmp_path: Path) -> None:
    """Without one the other sources say everything."""
    assert read_config_file("", str(tmp_path)) is None


def test_our_own_file_goes_before_gunicorns(tmp_path: Path) -> None:
    """A site may keep both: gunicorn reads its own, we read ours."""
    write(tmp_path, "workers = 2", "gunicorn.conf.py")
    assert read(tmp_path).name == "gunicorn.conf.py"

    write(tmp_path, "workers = 3")

    assert read(tmp_path).names == {"workers": 3}


@pytest.mark.parametrize("prefix", ["", "file:"])
def test_a_file_is_named_by_its_path(tmp_path: Path, prefix: str) -> None:
    """``PATH`` and ``file:PATH``, relative or not; it is shown as it was written."""
    path = write(tmp_path, "workers = 2", "my.conf.py")

    relative = read(tmp_path, f"{prefix}my.conf.py")
    absolute = read(Path("/"), f"{prefix}{path}")

    assert relative.name == "my.conf.py"
    assert str(path) == absolute.name == absolute.path == relative.path


def test_a_module_is_found_by_pythons_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``python:MODULE`` is read each time, not imported once."""
    package = tmp_path / "deploy_config"
    package.mkdir()
    (package / "__init__.py").touch()
    write(package, "from . import other\nworkers = 2", "production.py")
    write(package, "", "other.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    name = "python:deploy_config.production"

    assert read(tmp_path, name).names["workers"] == 2
    write(package, "workers = 3", "production.py")

    found = read(tmp_path, name)
    assert found.names["workers"] == 3
    assert found.origin("workers") == f"{name}, line 1"


def test_each_name_has_the_lines_that_may_have_set_it(tmp_path: Path) -> None:
    """Also inside of ifs, loops, tries and `with`, and for functions and imports."""
    write(
        tmp_path,
        """
        import os
        workers = 1
        if True:
            workers = 2
        else:
            workers = 3
        try:
            bind, backlog = "a", 5
        except Exception:
            bind = "b"
        for timeout in (1, 2): pass
        def post_fork(server, worker):
            keepalive = 5
        threads: int = 1
        with open(os.devnull) as user:
            umask = 0
        match 1:
            case 1:
                group = 0
        keepalive = 1
        keepalive = 2
        """,
    )

    found = read(tmp_path)

    expected = {
        "os": [1],
        "workers": [2, 4, 6],  # which of them, only the run knows
        "bind": [8, 10],
        "backlog": [8],
        "timeout": [11],
        "post_fork": [12],
        "threads": [14],
        "user": [15],
        "umask": [16],
        "group": [19],
        "keepalive": [21],
    }
    assert expected == found.lines
    assert found.imported == {"os"}
    assert found.origin("workers") == "tiamat.conf.py, line 2 or 4 or 6"
    assert found.origin("never") == "tiamat.conf.py"


def test_names_that_the_file_makes_use_of_are_known(tmp_path: Path) -> None:
    """A variable that is read is a helper, not a slip."""
    write(tmp_path, "cores = 4\nworkers = cores * 2\nworkesr = 1")

    found = read(tmp_path)

    assert "cores" in found.read
    assert "workesr" not in found.read


def test_private_names_are_left_out(tmp_path: Path) -> None:
    """What begins with _ is nobody's business."""
    write(tmp_path, "_cores = 4\nworkers = _cores")

    assert read(tmp_path).names == {"workers": 4}


def test_the_file_is_a_module_of_its_own(tmp_path: Path) -> None:
    """It has __file__, and is ``__config__``, as in gunicorn."""
    write(
        tmp_path,
        """
        import dataclasses, sys
        proc_name = __file__
        @dataclasses.dataclass
        class Thing:
            x: "int" = 1
        raw_env = [__name__, sys.modules[__name__].__name__]
        """,
    )

    found = read(tmp_path)

    assert str(tmp_path / "tiamat.conf.py") == found.names["proc_name"]
    assert found.names["raw_env"] == ["__config__", "__config__"]


def test_what_the_file_imports_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload does not import it again, so changes in it are worth a line."""
    write(tmp_path, "x = 1", "tiamat_test_helper.py")
    write(tmp_path, "import tiamat_test_helper")
    monkeypatch.syspath_prepend(str(tmp_path))

    found = read(tmp_path)

    path = str(tmp_path / "tiamat_test_helper.py")
    assert {"tiamat_test_helper": path} == found.modules
    del sys.modules["tiamat_test_helper"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("workers = = 2", "tiamat.conf.py, line 1: invalid syntax: workers = = 2"),
        ("x = 1\n  y = 2", "tiamat.conf.py, line 2: unexpected indent: y = 2"),
        ("x = 1\ny = z", "tiamat.conf.py, line 2: NameError: name 'z' is not defined"),
        ("\nraise SystemExit(3)", "tiamat.conf.py, line 2: it called sys.exit(3)"),
        ("assert False", "tiamat.conf.py, line 1: AssertionError"),
        ("import no_such", "line 1: ModuleNotFoundError: No module named 'no_such'"),
        ("\0", "tiamat.conf.py"),
        (
            "import json\n\njson.loads('{')",
            "tiamat.conf.py, line 3: JSONDecodeError: Expecting property name",
        ),
    ],
)
def test_a_file_that_fails_is_told_with_its_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    """Whatever goes wrong in it, the line of the file is named."""
    (tmp_path / "tiamat.conf.py").write_text(text)

    with pytest.raises(ConfigError) as caught:
        read(tmp_path)

    assert complaint in str(caught.value)


def test_a_failure_in_other_code_names_both_places(tmp_path: Path) -> None:
    """The line in the file, and where it was raised."""
    (tmp_path / "tiamat.conf.py").write_text("import json\njson.loads('{')")

    with pytest.raises(ConfigError, match=r"line 2: .* \(raised in .*json/decoder"):
        read(tmp_path)


def test_a_failed_file_leaves_the_module_of_the_last_one(tmp_path: Path) -> None:
    """Hooks of the running settings keep the module that they were made in."""
    write(tmp_path, "workers = 1")
    read(tmp_path)
    before = sys.modules["__config__"]
    write(tmp_path, "raise ValueError")

    with pytest.raises(ConfigError):
        read(tmp_path)

    assert before is sys.modules["__config__"]


def test_the_null_device_is_an_empty_file(tmp_path: Path) -> None:
    """``-c /dev/null`` is how to have no file, not even a default one."""
    write(tmp_path, "workers = 2", "gunicorn.conf.py")

    assert "workers" not in read(tmp_path, "/dev/null").names


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ("none.py", "none.py does not exist"),
        (".", "is a directory"),
        ("python:no_such_module", "no such module in Python's path"),
        ("python:no_such.module", "No module named 'no_such'"),
        ("python:sys", "no such module"),
        ("python:", "can't find config python:"),
    ],
)
def test_a_file_that_is_not_there_is_told(
    tmp_path: Path, wanted: str, complaint: str
) -> None:
    """Only the default files may be missing."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, wanted)

    assert complaint in str(caught.value)
