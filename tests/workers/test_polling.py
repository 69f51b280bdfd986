"""Where nothing tells of changes, dates are looked at all the same."""

from pathlib import Path

from conftest import Serve
from running import wait_until

from tiamat.workers import polling

SITE = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"{text}"]
"""


def test_it_is_time_to_look_again_and_again() -> None:
    """Without events: what has changed is seen by the dates."""
    looks = polling.watch("/", rust_timeout=1, force_polling=True)

    assert set() == next(looks) == next(looks)


def test_reload_works_without_watchfiles(serve: Serve, tmp_path: Path) -> None:
    """What is on the disk is served, a little later."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "watchfiles.py").write_text("raise ImportError('not installed')\n")
    site = directory / "site_of_test.py"
    site.write_text(SITE.format(text="before"))
    server = serve("site_of_test:app", "--reload", "--workers=1")
    assert "before" == server.get().text

    other = directory / "new~"
    other.write_text(SITE.format(text="after it"))
    other.rename(site)

    wait_until(lambda: server.get().text == "after it", "the change is served")
    assert "changed: site_of_test.py: reloading" in server.log
