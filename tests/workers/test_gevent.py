"""The gevent worker, in real processes."""

from conftest import Serve
from running import Load

from tiamat.workers import load_worker_class
from tiamat.workers.gevent import GeventWorker


def test_gunicorn_s_names_mean_it_too() -> None:
    """
    And it is one class.
    """
    for name in ("gevent", "gevent_wsgi", "gevent_pywsgi"):
        assert GeventWorker is load_worker_class(name)


def test_it_serves(serve: Serve) -> None:
    """
    Requests of several clients at a time.
    """
    server = serve("apps.pid:app", "-k", "gevent")
    with Load(server.address) as load:
        load.wait_for_requests()

    assert [] == load.losses
