"""What becomes of requests under ASGI when something goes wrong, or the worker goes."""

import http.client
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from conftest import Serve
from running import LIMIT, Load, Server, wait_until

Begin = Callable[[Server, str], http.client.HTTPConnection]

APP = "apps.asgi_life:app"

every_worker = pytest.mark.parametrize("worker", ["asgi", "h11"])


def notes(server: Server) -> list[str]:
    """What the application has written down."""
    try:
        return (server.directory / "notes").read_text().splitlines()
    except FileNotFoundError:
        return []


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Send a request, and leave it at that; the connection closes with the test."""
    with ExitStack() as stack:

        def send(server: Server, path: str) -> http.client.HTTPConnection:
            connection = http.client.HTTPConnection(*server.address, timeout=LIMIT)
            stack.callback(connection.close)
            connection.request("GET", path)
            return connection

        yield send


@every_worker
def test_a_blocked_loop_costs_one_worker(
    serve: Serve, begin: Begin, worker: str
) -> None:
    """
    Request and stack are in the log, and who came meanwhile is served by another one.
    """
    server = serve(APP, "-k", worker, "--timeout=3")
    server.expect("SIGKILL")
    server.expect("Traceback")
    begin(server, "/block")
    wait_until(lambda: "blocked" in notes(server), "the request is in the application")
    others = [begin(server, "/") for _ in range(5)]
    server.wait_for_log(r"silent for .*, killing; in the application: .*GET /block")
    server.wait_for_log(r"asgi_life.py\", line \d+, in block")

    assert [200] * 5 == [other.getresponse().status for other in others]


@every_worker
def test_a_stuck_request_is_cancelled(serve: Serve, begin: Begin, worker: str) -> None:
    """
    503 if nothing was sent, else a body that doesn't end; others are served meanwhile.
    """
    server = serve(APP, "-k", worker, "--request-timeout=2")
    stuck = begin(server, "/stuck")
    late = begin(server, "/late")
    wait_until(lambda: 2 == notes(server).count("stuck"), "both are stuck")
    other = server.get()
    stuck_answer = stuck.getresponse()
    late_answer = late.getresponse()
    with pytest.raises(http.client.IncompleteRead) as caught:
        late_answer.read()

    assert (200, 503, 200) == (other.status, stuck_answer.status, late_answer.status)
    assert b"begun" == caught.value.partial
    server.wait_for_log(r"GET /stuck: cancelled, over request_timeout")
    server.wait_for_log(r"GET /late: cancelled, over request_timeout")
    assert 2 == notes(server).count("cancelled")
    assert other.text == server.get().text


@every_worker
def test_max_requests_loses_nothing(serve: Serve, worker: str) -> None:
    """
    A worker that has answered so many serves until its replacement is ready.
    """
    server = serve(APP, "-k", worker, "--workers=2", "--max-requests=50")
    with Load(server.address) as load:
        server.wait_for_log("retires: max_requests", times=4)

    assert [] == load.losses
    assert len(load.texts) >= 4


@every_worker
def test_the_lifespan_ends_last(serve: Serve, begin: Begin, worker: str) -> None:
    """
    A request that is under way at a stop is answered before; tasks end behind it.
    """
    server = serve(APP, "-k", worker)
    client = begin(server, "/slow")
    wait_until(lambda: "slow" in notes(server), "the request is in the application")
    server.signal(signal.SIGTERM)

    assert 200 == client.getresponse().status
    assert 0 == server.wait_for_exit()
    assert ["slow", "answered", "shutdown", "cleaned up"] == notes(server)


@pytest.mark.soak
def test_streams_are_told_and_the_lifespan_ends_last(
    serve: Serve, begin: Begin
) -> None:
    """
    On a reload: ``http.disconnect``, a whole response, the shutdown.
    """
    server = serve(APP, "-k", "asgi", "--graceful-timeout=20")
    client = begin(server, "/stream")
    answer = client.getresponse()
    assert b"." == answer.read(1)
    server.signal(signal.SIGHUP)
    server.wait_for_log(r"gen=2 pid=\d+ serves")

    assert answer.read().endswith(b".end")
    server.wait_for_log(r"gen=1 pid=\d+ exited")
    assert ["http.disconnect", "shutdown", "cleaned up"] == notes(server)
    assert server.get().text.isdigit()


@pytest.mark.soak
def test_what_does_not_finish_is_cancelled_before_the_lifespan_ends(
    serve: Serve, begin: Begin
) -> None:
    """
    Who streams is told, who is stuck hears 503; the log names it, as no failure.
    """
    server = serve(APP, "-k", "asgi", "--graceful-timeout=20")
    stream = begin(server, "/stream")
    answer = stream.getresponse()
    stuck = begin(server, "/stuck")
    wait_until(lambda: "stuck" in notes(server), "the request is in the application")
    server.signal(signal.SIGTERM)

    assert answer.read().endswith(b".end")
    assert 503 == stuck.getresponse().status
    assert 0 == server.wait_for_exit()
    assert 1 == server.log.count("GET /stuck")
    server.wait_for_log("GET /stuck: cancelled, over graceful_timeout")
    assert ["stuck", "http.disconnect", "cancelled", "shutdown", "cleaned up"] == (
        notes(server)
    )
