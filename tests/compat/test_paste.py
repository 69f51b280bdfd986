"""A server that a PasteDeploy file describes."""

import sys
from pathlib import Path

from conftest import Serve

PROGRAM = """#!{python}
import sys
from paste.deploy import loadapp, loadserver

flags = dict(word[2:].split("=", 1) for word in sys.argv[1:])
variables = {{"where": flags["bind"], "log": flags["error-logfile"]}}
uri = "config:{path}"
sys.exit(loadserver(uri, global_conf=variables)(loadapp(uri, global_conf=variables)))
"""

INI = """
[app:main]
paste.app_factory = paste_other_of_test:make

[server:main]
use = egg:tiamat-server#main
bind = %(where)s
errorlog = %(log)s
workers = 2
"""

SITE = """
def make(variables):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"from the file"]
    return app
"""


def test_the_entry_point_serves(serve: Serve, tmp_path: Path) -> None:
    """``use = egg:tiamat-server#main``, with our settings in the file."""
    (tmp_path / "shop.ini").write_text(INI)
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "paste_other_of_test.py").write_text(SITE)
    path = tmp_path / "program"
    path.write_text(PROGRAM.format(python=sys.executable, path=tmp_path / "shop.ini"))
    path.chmod(0o755)
    server = serve("", program=str(path))

    assert "from the file" == server.get().text
    assert "paste_other_of_test:make.<locals>.app with 2 workers" in server.log
