"""The application is loaded for all workers at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from tiamat.config import Config
from tiamat.errors import AppError
from tiamat.workers.preload import preload


def test_without_an_application_there_is_nothing_to_load() -> None:
    """A worker class may need none."""
    assert preload(Config()) is None


def test_what_can_not_be_loaded_is_the_error_that_a_worker_has() -> None:
    """With the same exit status."""
    with pytest.raises(AppError, match="has no attribute 'nobody'"):
        preload(Config(wsgi_app="apps.pid:nobody"))


@pytest.mark.parametrize(
    ("app", "module"),
    [("apps.pid:app", "httptools"), ("apps.asgi_life:app", "uvloop")],
)
def test_what_serves_the_application_is_imported_too(app: str, module: str) -> None:
    """Else each worker would have it in memory of its own."""
    script = f"""
import sys
from tiamat.config import Config
from tiamat.workers.preload import preload
app = preload(Config(wsgi_app={app!r}))
print(callable(app), {module!r} in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
        check=False,
    )

    assert "True True\n" == done.stdout + done.stderr
