"""tiamat-gunicorn, installed where there is nothing else."""

import os
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import Serve

PACKAGE = Path(__file__).parents[2] / "packages" / "tiamat-gunicorn"


class Place:
    """
    An environment of Python with the package in it, and what this one has.

    Attributes:
        directory: where it is.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.call(sys.executable, "-m", "venv", "--without-pip", directory)
        (packages,) = directory.glob("lib/python*/site-packages")
        # What follows the environment's own packages on the path: pip and tiamat.
        ours = "; ".join(f"site.addsitedir({one!r})" for one in site.getsitepackages())
        (packages / "ours.pth").write_text(f"import site; {ours}\n")
        self.packages = packages

    def call(self, *command: object) -> str:
        """Run a command; what it prints."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.directory.parent,
            env={**os.environ, "PIP_NO_INDEX": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout

    def python(self, *words: object) -> str:
        """Run Python there; what it prints."""
        return self.call(self.directory / "bin" / "python", *words).strip()

    def pip(self, *words: object) -> str:
        """Run pip there; what it prints."""
        return self.python("-m", "pip", "--disable-pip-version-check", *words)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An environment with the package, built and installed by pip."""
    place = Place(tmp_path_factory.mktemp("place") / "env")
    place.pip("install", "--quiet", "--no-deps", PACKAGE)
    return place


def test_its_metadata_is_found(place: Place) -> None:
    """Under gunicorn's name."""
    code = "from importlib.metadata import version; print(version('gunicorn'))"

    assert "27.0.1" == place.python("-c", code)


def test_a_program_may_import_it_first(place: Place) -> None:
    """Without anything of ours before, and each module is there once."""
    code = """
import gunicorn.util, sys
print(gunicorn.__name__, gunicorn.util is sys.modules["tiamat.compat.gunicorn.util"])
"""
    assert "tiamat.compat.gunicorn True" == place.python("-c", code)


def test_a_program_may_derive_from_its_classes(place: Place) -> None:
    """The usual way to embed it."""
    code = "from gunicorn.app.base import BaseApplication as B; print(B.__module__)"

    assert "tiamat.compat.gunicorn.app.base" == place.python("-c", code)


@pytest.mark.parametrize(
    "command", [["bin/python", "-m", "gunicorn"], ["bin/gunicorn"]]
)
def test_its_version_is_told(place: Place, command: list[str]) -> None:
    """In gunicorn's words, which scripts read."""
    program, *words = command
    text = place.call(place.directory / program, *words, "--version")

    assert text.startswith("gunicorn (version 27.0.1)")


@pytest.mark.parametrize("command", ["gunicorn", "python -m gunicorn"])
def test_its_command_serves(
    place: Place, serve: Serve, tmp_path: Path, command: str
) -> None:
    """A configuration that imports gunicorn, too."""
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\nexec {place.directory}/bin/{command} "$@"\n')
    program.chmod(0o755)
    server = serve(
        program=str(program),
        config="""
import gunicorn
def when_ready(server):
    server.log.info("%s, which is %s", gunicorn.SERVER, gunicorn.__name__)
""",
    )

    assert 200 == server.get().status
    server.wait_for_log("gunicorn, which is tiamat.compat.gunicorn")


@pytest.mark.soak
def test_pip_leaves_gunicorn_to_it(place: Place) -> None:
    """It counts as installed, and only we can remove it."""
    place.pip("install", "gunicorn>=20")
    with pytest.raises(AssertionError, match="tiamat-gunicorn"):
        place.pip("uninstall", "--yes", "gunicorn")


def test_beside_gunicorn_it_says_so(place: Place) -> None:
    """pip has not noticed that one has overwritten the other."""
    left = place.packages / "gunicorn" / "arbiter.py"
    left.touch()
    code = "try:\n import gunicorn\nexcept ImportError as error:\n print(error)"

    try:
        text = place.python("-c", code)
    finally:
        left.unlink()

    assert text.startswith("gunicorn and tiamat-gunicorn are both in")


@pytest.mark.soak
def test_it_leaves_nothing_behind(tmp_path: Path) -> None:
    """gunicorn's metadata goes with it."""
    place = Place(tmp_path / "env")
    before = sorted(place.packages.iterdir())
    place.pip("install", "--quiet", "--no-deps", PACKAGE)

    place.pip("uninstall", "--quiet", "--yes", "tiamat-gunicorn")

    assert before == sorted(place.packages.iterdir())


@pytest.mark.soak
def test_sources_make_the_same_wheel(tmp_path: Path) -> None:
    """An archive of them is what an index has."""
    code = f"""
import sys
sys.path.insert(0, {str(PACKAGE)!r})
import wheel_of_two as backend
print(backend.build_sdist({str(tmp_path)!r}), backend.build_wheel({str(tmp_path)!r}))
"""
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True
    )
    sources, wheel = done.stdout.split()
    subprocess.run(["tar", "-xzf", sources, "-C", "."], cwd=tmp_path, check=True)
    again = tmp_path / "again"
    again.mkdir()
    code = f"import wheel_of_two; wheel_of_two.build_wheel({str(again)!r})"
    unpacked = tmp_path / sources.removesuffix(".tar.gz")
    subprocess.run([sys.executable, "-c", code], cwd=unpacked, check=True)

    texts = [
        {
            one.filename: (one.CRC, one.file_size)
            for one in zipfile.ZipFile(path).infolist()
        }
        for path in (tmp_path / wheel, again / wheel)
    ]
    assert texts[0] == texts[1]
