"""More clients than can be served at a time: nobody waits for ever."""

import pytest
from conftest import Serve
from kinds import KINDS
from running import Load

MOST = {
    "sync": (),
    "threads": ("-k", "threads", "--threads=2"),
    "gevent": ("-k", "gevent", "--worker-connections=2"),
    "asgi": ("-k", "asgi", "--worker-connections=2"),
    "h11": ("-k", "h11", "--worker-connections=2"),
}
"""Flags with which few requests may be in the application, by class."""


@pytest.mark.parametrize("kind", MOST)
def test_who_comes_is_served_though_those_who_stay_have_work_for_all(
    serve: Serve, kind: str
) -> None:
    """
    Clients that keep their connections would have every place for ever.
    """
    app = KINDS[kind][0]
    server = serve(f"apps.varied:{app}", *MOST[kind])
    with Load(server.address, "/?0.02", clients=8) as load:
        for _ in range(2):
            load.wait_for_requests(30)
            assert 200 == server.get().status

    assert [] == load.losses
