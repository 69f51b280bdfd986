"""PasteDeploy's files, by gunicorn's names."""

from pathlib import Path

from conftest import Serve
from embedding import program

SERVE = """
from apps.pid import app
from gunicorn.app.pasterapp import serve
host, port = "127.0.0.1", "0"
serve(app, {"__file__": __file__}, bind=flags["bind"], workers="2",
      errorlog=flags["error-logfile"])
"""


def test_an_application_of_a_file_is_served(serve: Serve, tmp_path: Path) -> None:
    """With the settings that are texts there."""
    server = serve("", program=program(tmp_path, SERVE))

    assert server.get().text.isdecimal()
    assert "with 2 workers" in server.log
