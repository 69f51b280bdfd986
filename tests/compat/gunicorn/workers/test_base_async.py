"""What gunicorn's workers of greenlets have in common."""

from theirs_type import Theirs

THEIRS = """
from contextlib import contextmanager
from gunicorn.workers.ggevent import GeventWorker

class Theirs(GeventWorker):
    @contextmanager
    def timeout_ctx(self):
        self.log.info("timeout_ctx")
        yield

    def is_already_handled(self, respiter):
        self.log.info("is_already_handled")
        return super().is_already_handled(respiter)

    def handle(self, listener, client, addr):
        self.log.info("handle")
        super().handle(listener, client, addr)

    def handle_request(self, listener_name, req, sock, addr):
        self.log.info("handle_request %s", listener_name[0])
        return super().handle_request(listener_name, req, sock, addr)
"""


def test_a_request_goes_through_all_methods(theirs: Theirs) -> None:
    """In gunicorn's order."""
    server = theirs(THEIRS)

    assert "/here" == server.get("/here").text
    server.wait_for_log(
        "handle\n(.|\n)*timeout_ctx\n(.|\n)*handle_request 127.0.0.1\n(.|\n)*"
        "is_already_handled"
    )
