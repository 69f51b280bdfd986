"""``import gunicorn`` in our processes, with and without another gunicorn."""

import json
import os
import subprocess
import sys
from pathlib import Path

from conftest import Serve

INSTALL = "from tiamat.compat import shim; shim.install()"


def run(code: str, *path: Path, **environ: str) -> str:
    """What a program prints, whose modules may also be in these directories."""
    places = os.pathsep.join(str(one) for one in path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": places} | environ,
        text=True,
        capture_output=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout.strip()


def other_gunicorn(directory: Path) -> Path:
    """A package of that name that is none of ours."""
    package = directory / "gunicorn"
    package.mkdir()
    (package / "__init__.py").write_text("SERVER = 'the other one'\n")
    return directory


def test_ours_is_found_where_there_is_no_other() -> None:
    """Under its own name, too: it is one module."""
    code = f"""{INSTALL}
import gunicorn, tiamat.compat.gunicorn as ours
print(gunicorn is ours, gunicorn.SERVER_SOFTWARE)
"""
    assert "True gunicorn/27.0.1" == run(code)


def test_a_module_of_ours_is_loaded_once() -> None:
    """Though its package has the path where it could be found again."""
    code = f"""{INSTALL}
import gunicorn.errors, sys
print(sys.modules["gunicorn.errors"] is sys.modules["tiamat.compat.gunicorn.errors"])
"""
    assert "True" == run(code)


def test_what_we_do_not_have_is_missing() -> None:
    """With gunicorn's name in the complaint."""
    code = f"""{INSTALL}
try:
    import gunicorn.six
except ModuleNotFoundError as error:
    print(error)
"""
    assert "No module named 'gunicorn.six'" == run(code)


def test_a_gunicorn_that_is_installed_wins(tmp_path: Path) -> None:
    """Its modules are never mixed with ours."""
    code = f"{INSTALL}; import gunicorn; print(gunicorn.SERVER)"

    assert "the other one" == run(code, other_gunicorn(tmp_path))


def test_a_directory_of_that_name_is_no_gunicorn(tmp_path: Path) -> None:
    """Sites keep their configuration in one."""
    (tmp_path / "gunicorn").mkdir()
    code = f"{INSTALL}; import gunicorn; print(gunicorn.SERVER)"

    assert "gunicorn" == run(code, tmp_path)


def test_the_environment_chooses_ours(tmp_path: Path) -> None:
    """Where both could be had."""
    code = f"{INSTALL}; import gunicorn; print(gunicorn.SERVER)"

    printed = run(code, other_gunicorn(tmp_path), TIAMAT_GUNICORN="shim")

    assert "gunicorn" == printed


def test_a_program_chooses_ours(tmp_path: Path) -> None:
    """Also when the finder has been installed before."""
    code = f"""{INSTALL}
shim.install(force=True)
import gunicorn; print(gunicorn.SERVER)
"""
    assert "gunicorn" == run(code, other_gunicorn(tmp_path))


def test_ours_can_not_be_chosen_later(tmp_path: Path) -> None:
    """Half of each would be worse than either."""
    code = """
import gunicorn
from tiamat.compat import shim
from tiamat.errors import ConfigError
try:
    shim.install(force=True)
except ConfigError as error:
    print(error)
"""
    printed = run(code, other_gunicorn(tmp_path))

    assert printed.startswith("gunicorn is imported already, from ")


def test_who_watches_imports_sees_the_module() -> None:
    """Agents wrap classes when a module is loaded: a finder that asks the others."""
    code = f"""
import importlib.util, sys

class Watch:
    busy = False
    def find_spec(self, name, path=None, target=None):
        if name != "gunicorn.errors" or self.busy:
            return None
        self.busy = True
        spec = importlib.util.find_spec(name)
        self.busy = False
        self.loader, spec.loader = spec.loader, self
        return spec
    def create_module(self, spec):
        return self.loader.create_module(spec)
    def exec_module(self, module):
        self.loader.exec_module(module)
        print("loaded", module.HaltServer.__name__)

sys.meta_path.insert(0, Watch())
{INSTALL}
import gunicorn.errors
"""
    assert "loaded HaltServer" == run(code)


def test_a_module_keeps_what_it_knows_of_itself() -> None:
    """Its second name is not written into it."""
    code = f"""{INSTALL}
import gunicorn.errors
print(gunicorn.errors.__spec__.name)
"""
    assert "tiamat.compat.gunicorn.errors" == run(code)


def test_a_module_runs_as_a_program() -> None:
    """What ``python -m gunicorn.…`` does."""
    code = f"""{INSTALL}
import runpy
print("HaltServer" in runpy.run_module("gunicorn.errors"))
"""
    assert "True" == run(code)


def test_nothing_is_loaded_that_nobody_asks_for() -> None:
    """Who imports us, or starts the command, has no module of gunicorn's."""
    code = """
import sys, tiamat, tiamat.cli
tiamat.cli.main(["--print-config"])
print([name for name in sys.modules if "compat" in name and "gunicorn" in name])
"""
    assert "[]" == run(code).splitlines()[-1]


def test_a_configuration_file_finds_ours(serve: Serve) -> None:
    """In the master, and nothing more than it has asked for."""
    config = """
import gunicorn, sys
def when_ready(server):
    parts = [name for name in sys.modules if name.startswith("gunicorn.")]
    server.log.info("%s of %s", gunicorn.SERVER, parts)
"""
    server = serve(config=config)

    server.wait_for_log(r"gunicorn of \[\]")


def test_the_master_has_none_of_it(serve: Serve) -> None:
    """If no file and no class asks for it."""
    config = """
import json, sys
def when_ready(server):
    server.log.info("has %s", json.dumps([n for n in sys.modules if "unicorn" in n]))
"""
    server = serve(config=config)

    names = json.loads(server.wait_for_log(r"has (\[.*\])")[1])
    assert [] == [name for name in names if name.startswith("tiamat.compat")]
