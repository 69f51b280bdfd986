"""Workers that derive from gunicorn's ASGIWorker, where there is no gunicorn."""

from theirs_type import Theirs

THEIRS = """
from gunicorn.workers.gasgi import ASGIWorker

class Theirs(ASGIWorker):
    def notify(self):
        super().notify()
        self.log.info("notified")
"""


def test_it_serves_and_shows_life(theirs: Theirs) -> None:
    """On our loop."""
    server = theirs(THEIRS, app="their_app:asgi")

    assert "asgi" == server.get().text
    server.wait_for_log("notified")
    assert 0 == server.stop()
