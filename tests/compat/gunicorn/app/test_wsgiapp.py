"""The command ``gunicorn`` as an object."""

from pathlib import Path

import pytest
from conftest import Serve
from embedding import program, reloaded_and_stopped

MUTATED = """
sys.argv = ["gunicorn", "apps.slow:app", "--workers=2", *sys.argv[1:]]
from gunicorn.app.wsgiapp import WSGIApplication
WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]").run()
"""

RUN = """
sys.argv[1:] += {more}
from gunicorn.app.wsgiapp import run
run(prog="gunicorn")
"""


def test_a_command_line_that_a_program_makes(serve: Serve, tmp_path: Path) -> None:
    """As MLflow and buildpacks do."""
    server = serve("", program=program(tmp_path, MUTATED))

    assert [] == reloaded_and_stopped(server)
    assert "serving apps.slow:app with 2 workers" in server.log


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ("['apps.pid:app', '--check-config']", 0),
        ("[]", 1),
        ("['apps.pid:nothing']", 4),
    ],
)
def test_the_status_is_gunicorns(
    serve: Serve, tmp_path: Path, more: str, status: int
) -> None:
    """Of a check, and of what can't be started."""
    server = serve("", program=program(tmp_path, RUN.format(more=more)))

    assert status == server.wait_for_exit()


def test_an_application_of_the_settings(serve: Serve, tmp_path: Path) -> None:
    """In the file that lies there."""
    (tmp_path / "server-0").mkdir()
    file = tmp_path / "server-0" / "gunicorn.conf.py"
    file.write_text("wsgi_app = 'apps.pid:app'\nworkers = 1\n")
    server = serve("", program=program(tmp_path, RUN.format(more="[]")))

    assert server.get().text.isdecimal()
    assert "serving apps.pid:app with 1 worker\n" in server.log
