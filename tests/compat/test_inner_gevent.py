"""Handlers of gevent's server that wait; see workers/test_ggevent for the rest."""

from tiamat.compat.inner_gevent import noting


class Handler:
    """Reads the line of a request."""

    def __init__(self, waiting: dict[object, float]) -> None:
        self.waiting = waiting

    def read_requestline(self) -> list[object]:
        """Who waits meanwhile."""
        return list(self.waiting)


def test_it_is_noted_who_waits_for_a_request() -> None:
    """From when on, and until it is there."""
    waiting: dict[object, float] = {}
    handler = noting(Handler, waiting, bool)(waiting)

    assert [handler] == handler.read_requestline()
    assert {} == waiting
