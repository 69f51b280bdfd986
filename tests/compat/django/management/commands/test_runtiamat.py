"""``manage.py runtiamat``."""

import os
import sys
from pathlib import Path

import pytest
from conftest import Serve
from running import wait_until

from tiamat.compat.django.management.commands import runtiamat

MANAGE = """#!{python}
import os, sys

sys.path.insert(0, {directory!r})
os.environ["DJANGO_SETTINGS_MODULE"] = "shop_of_test.settings"
from django.core.management import execute_from_command_line

execute_from_command_line([sys.argv[0], "runtiamat", *sys.argv[1:]])
"""

SETTINGS = """
SECRET_KEY = "x"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["tiamat.compat.django"]
ROOT_URLCONF = "shop_of_test.urls"
WSGI_APPLICATION = "shop_of_test.wsgi.application"
"""

URLS = """
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse("the shop"))]
"""

WSGI = """
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
"""


def test_a_project_is_served(serve: Serve, tmp_path: Path) -> None:
    """By what its settings name, with our flags; the master has none of its code."""
    site = tmp_path / "project" / "shop_of_test"
    site.mkdir(parents=True)
    for name, text in (("settings", SETTINGS), ("urls", URLS), ("wsgi", WSGI)):
        (site / f"{name}.py").write_text(text)
    program = tmp_path / "project" / "manage.py"
    directory = str(tmp_path / "project")
    program.write_text(MANAGE.format(python=sys.executable, directory=directory))
    program.chmod(0o755)
    server = serve("", "--workers=2", "--env=A=1", "--preload", program=str(program))

    assert "the shop" == server.get().text
    assert "serving shop_of_test.wsgi:application with 2 workers" in server.log
    command = Path(f"/proc/{server.pid}/cmdline")
    wait_until(lambda: b"django" not in command.read_bytes(), "it is tiamat")


def test_options_become_flags_again() -> None:
    """Those that were given; a switch has no value, a list is repeated."""
    options = {
        "asgi": False, "address": "0:8000", "workers": "2", "raw_env": ["A=1", "B=2"],
        "preload_app": True, "keepalive": None, "verbosity": 1,
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtiamat, "application", lambda *, asgi: f"shop:{asgi}")
        patch.setattr(sys, "path", ["", *sys.path])
        words = list(runtiamat.arguments(options))

    assert ["shop:False", "--bind=0.0.0.0:8000"] == words[:2]
    assert f"--pythonpath={os.getcwd()}" == words[2]
    assert {"--workers=2", "--env=A=1", "--env=B=2", "--preload"} == {*words[3:]}


def test_addresses_are_django_s() -> None:
    """A port alone is this machine's."""
    assert "127.0.0.1:8000" == runtiamat.bind("8000")
    assert "0.0.0.0:80" == runtiamat.bind("0:80")
    assert "[::1]:80" == runtiamat.bind("[::1]:80")
