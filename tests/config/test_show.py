"""``--print-config``."""

from pathlib import Path

from tiamat.config import Config, show


def post_fork(server: object, worker: object) -> None:
    """A hook."""


def test_every_setting_is_shown_with_its_origin(tmp_path: Path) -> None:
    """``name = value  # origin``, in the chapters of the manual."""
    config = Config.load(["-w", "3", "-m", "27", "a:b"], {"PORT": "1"}, str(tmp_path))

    lines = list(show.lines(config))

    assert lines[0] == "# Listening"
    found = [" ".join(line.split()) for line in lines]
    assert "bind = ['0.0.0.0:1'] # PORT" in found
    assert "workers = 3 # --workers" in found
    assert "umask = 0o027 # --umask" in found
    assert "timeout = 30.0 # default" in found
    assert lines[-1] == "# The application: a:b"
    for name in Config.settings:
        assert any(line.startswith(f"{name} = ") for line in lines), name


def test_functions_and_classes_are_shown_by_name() -> None:
    """An address in memory helps nobody."""
    lines = "\n".join(show.lines(Config(post_fork=post_fork)))

    assert f"post_fork = <{__name__}.post_fork>" in lines
