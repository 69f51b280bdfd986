"""Programs that serve by a class of ``gunicorn.app.base``."""

from pathlib import Path

import pytest
from conftest import Serve
from embedding import STANDALONE, program, reloaded_and_stopped

RUN = "StandaloneApplication(options).run()"

NEW_RELIC = """
import gunicorn.app.base

def wrap(method):
    def wsgi(self):
        app = method(self)
        def wrapped(environ, start_response):
            def start(status, headers, *error):
                return start_response(status, [*headers, ("X-Wrapped", "yes")], *error)
            return app(environ, start)
        return wrapped
    return wsgi

gunicorn.app.base.Application.wsgi = wrap(gunicorn.app.base.Application.wsgi)
"""

PULPCORE = """
from gunicorn.app.base import Application

class PulpApplication(Application):
    def __init__(self, options):
        self.options = options
        super().__init__()

    def load_config(self):
        for key, value in self.options.items():
            self.cfg.set(key.lower(), value)
        self.cfg.set("default_proc_name", "pulpcore-api")

    def load(self):
        from apps.slow import app
        return app

PulpApplication(options).run()
"""

INIT = """
from gunicorn.app.base import Application

class OwnApplication(Application):
    def init(self, parser, opts, args):
        return {"workers": 3, "proc_name": "own", "timeout": 7}

    def load(self):
        from apps.pid import app
        return app

sys.argv[1:] += ["--timeout=11"]
OwnApplication("%(prog)s [OPTIONS]").run()
"""

REPLACED = """
import gunicorn.app.base

class Loud(gunicorn.app.base.Arbiter):
    def start(self):
        super().start()
        self.log.info("a class of another's")

gunicorn.app.base.Arbiter = Loud
"""

RELOADED = """
class Changing(StandaloneApplication):
    def reload(self):
        self.options["proc_name"] = "renamed"
        super().reload()

def on_reload(server):
    server.log.info("app has %s", server.app.cfg.proc_name)

Changing(options | {"on_reload": on_reload}).run()
"""

BROKEN = """
class Broken(StandaloneApplication):
    def load(self):
        if os.path.exists("broken"):
            raise LookupError("no database")
        return super().load()

Broken(options).run()
"""


@pytest.mark.parametrize(
    "more",
    ["", pytest.param("options['preload_app'] = True", marks=pytest.mark.soak)],
)
def test_an_application_of_ones_own(serve: Serve, tmp_path: Path, more: str) -> None:
    """gunicorn's documentation has it; with settings by name."""
    server = serve("", program=program(tmp_path, STANDALONE, more, RUN))

    assert [] == reloaded_and_stopped(server)
    assert "serving __main__:StandaloneApplication with 2 workers" in server.log


def test_ours_are_used_though_gunicorn_is_there(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the environment says so."""
    monkeypatch.setenv("TIAMAT_GUNICORN", "shim")
    package = tmp_path / "server-0" / "gunicorn"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('the other one')\n")
    server = serve("", program=program(tmp_path, STANDALONE, RUN))

    assert 200 == server.get().status


def test_each_worker_asks_for_the_application(serve: Serve, tmp_path: Path) -> None:
    """By the method that others wrap; the subclass reads no command line."""
    code = program(tmp_path, NEW_RELIC, PULPCORE)
    server = serve("", program=code)

    assert "yes" == server.get().headers["x-wrapped"]
    assert [] == reloaded_and_stopped(server)


def test_the_command_line_wins(serve: Serve, tmp_path: Path) -> None:
    """Over the settings of ``init``, and over the file that lies there."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "gunicorn.conf.py").write_text(
        "timeout = 9\nworkers = 1\n"
        "def when_ready(server):\n"
        "    server.log.info('%s of %s', server.cfg.timeout, server.cfg.proc_name)\n"
    )
    server = serve("", program=program(tmp_path, INIT))

    server.wait_for_log(r"\b11(\.0)? of own")
    assert "with 1 worker\n" in server.log


def test_the_class_of_the_master_is_looked_up_late(
    serve: Serve, tmp_path: Path
) -> None:
    """Others put one of their own there."""
    server = serve("", program=program(tmp_path, STANDALONE, REPLACED, RUN))

    server.wait_for_log("a class of another's")


def test_hup_reads_the_settings_again(serve: Serve, tmp_path: Path) -> None:
    """By ``reload()``; the hook finds the new ones."""
    server = serve("", program=program(tmp_path, STANDALONE, RELOADED))
    server.get()

    assert [] == reloaded_and_stopped(server)
    assert "app has renamed" in server.log


def test_a_reload_of_broken_code_is_refused(serve: Serve, tmp_path: Path) -> None:
    """One worker tries it; the others go on."""
    server = serve("", program=program(tmp_path, STANDALONE, BROKEN))
    server.expect("Traceback")
    before = server.get()
    (server.directory / "broken").touch()
    server.signal(1)

    server.wait_for_log("reload refused, going on as before: .*no database")
    assert 200 == before.status == server.get().status


def test_code_that_fails_at_the_start_ends_the_program(
    serve: Serve, tmp_path: Path
) -> None:
    """With gunicorn's status."""
    (tmp_path / "server-0").mkdir()
    (tmp_path / "server-0" / "broken").touch()
    server = serve("", program=program(tmp_path, STANDALONE, BROKEN))
    server.expect("Traceback")

    assert 3 == server.wait_for_exit()
    assert "LookupError: no database" in server.log


def test_a_wrong_setting_ends_the_program(serve: Serve, tmp_path: Path) -> None:
    """It says which one."""
    more = "options['workers'] = 'many'"
    server = serve("", program=program(tmp_path, STANDALONE, more, RUN))

    assert 1 == server.wait_for_exit()
    assert "workers" in server.output
    assert "Traceback" not in server.output
