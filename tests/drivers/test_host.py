"""Greenlets that serve: places in the application, who is late, the end."""

from typing import Any

import gevent
from drivers.loops import (
    GET,
    LAST,
    PLAIN,
    POST,
    only,
    read_all,
    read_until,
    running,
)
from running import wait_until

pytestmark = only("greens")


class Gate:
    """An application that answers when the test lets it; others run meanwhile."""

    def __init__(self, places: int = 0) -> None:
        self.inside = 0
        self.most = 0
        self.served: list[object] = []
        self.places = places

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        while not self.places:
            gevent.sleep(0.01)
        self.places -= 1
        self.inside -= 1
        self.served.append(gevent.getcurrent())
        start_response("200 OK", PLAIN)
        return [b"out."]


def test_who_waits_in_the_application_lets_others_be_served() -> None:
    """
    By another greenlet; who answers at once needs none of its own.
    """
    gate = Gate(places=2)
    with running(gate) as server, server.connect() as one, server.connect() as two:
        for sock in (one, two):
            sock.sendall(GET % b"")
            read_until(sock, b"out.")
        for sock in (one, two):
            sock.sendall(GET % b"")
        wait_until(lambda: gate.inside == 2, "both are in the application")
        gate.places = 2
        for sock in (one, two):
            read_until(sock, b"out.")

    assert 3 == len(set(gate.served[2:])) + len(set(gate.served[:2]))


def test_no_more_requests_than_there_are_places() -> None:
    """
    A third one waits for one of two; all are answered, and all places free again.
    """
    gate = Gate()
    with running(gate, busiest=2) as server:
        loop: Any = server.loop
        socks = [server.connect() for _ in range(3)]
        for sock in socks:
            sock.sendall(GET % b"")
        wait_until(lambda: gate.inside == 2 and loop.paused, "one waits")
        gate.places = 3
        for sock in socks:
            assert read_until(sock, b"out.").endswith(b"out.")
            sock.close()
        wait_until(lambda: not loop.active, "the places are free")

    assert 2 == gate.most
    assert not loop.paused


def test_greenlets_that_nobody_needs_end() -> None:
    """
    A rush leaves some behind for the next one; the others end when they have not been
    needed for a while.
    """
    gate = Gate()
    with running(gate) as server:
        loop: Any = server.loop
        socks = [server.connect() for _ in range(40)]
        for sock in socks:
            sock.sendall(GET % b"")
        wait_until(lambda: gate.inside == 40, "all are in the application")
        gate.places = 40
        for sock in socks:
            read_until(sock, b"out.")
            sock.close()
        wait_until(lambda: len(loop.resting) == 16, "the others have ended")

        assert 40 == len(set(gate.served))
        assert 16 == sum(not green.dead for green in set(gate.served))  # type: ignore[attr-defined]


def test_who_sends_many_requests_at_once_lets_others_run() -> None:
    """
    One of them is served in a turn: another client is not behind them all.
    """
    order: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if not order:
            one.sendall(GET % b"one")  # it comes when the first of many is served
        order.append(environ["PATH_INFO"])
        start_response("200 OK", PLAIN)
        return [b"out."]

    with running(app) as server, server.connect() as many, server.connect() as one:
        wait_until(lambda: server.loop.connections == 2, "both are here")
        many.sendall(GET % b"many" * 5)
        read_until(one, b"out.")
        wait_until(lambda: len(order) == 6, "all are served")

    assert "/one" in order[1:3]


def test_an_old_request_is_told_once() -> None:
    """
    And the row shows it as long as it is in the application.
    """
    gate = Gate()
    with running(gate) as server, server.connect() as sock:
        loop: Any = server.loop
        sock.sendall(GET % b"old?secret")
        wait_until(lambda: gate.inside, "the request is in the application")
        now = loop.clock() + 10

        assert [] == list(loop.overdue(now, 20))
        assert ["GET /old"] == [str(c) for c in loop.overdue(now, 5)]
        assert [] == list(loop.overdue(now, 5))

        loop.row.end()
        loop.show_oldest()
        shown = loop.row.request()
        gate.places = 1
        read_until(sock, b"out.")
        wait_until(lambda: not loop.active, "it is out of the application")
        loop.show_oldest()

        assert ("GET", "/old?secret") == shown[:2]
        assert loop.row.request() is None


def test_the_last_response_closes() -> None:
    """
    An idle connection stays for one more request, and hears that it ends.
    """
    gate = Gate(places=2)
    with running(gate) as server, server.connect() as sock:
        sock.sendall(GET % b"")
        first = read_until(sock, b"out.")
        server.loop.close_listeners()
        sock.sendall(GET % b"")
        last = read_all(sock)

    assert b"Connection: close" not in first
    assert b"Connection: close" in last


def test_room_is_made_among_those_without_a_request() -> None:
    """
    The one that is silent is closed, the one in the application answered.
    """
    gate = Gate()
    with running(gate) as server:
        silent, busy = server.connect(), server.connect()
        busy.sendall(GET % b"")
        wait_until(lambda: gate.inside, "a request is in the application")
        wait_until(lambda: server.loop.connections == 2, "both are here")
        server.loop.evict(5)
        with silent:
            assert b"" == read_all(silent)
        gate.places = 1
        with busy:
            assert read_until(busy, b"out.").endswith(b"out.")


def test_what_a_request_left_in_its_context_is_not_for_the_next() -> None:
    """
    Though the same greenlet serves both.
    """
    import contextvars

    left: contextvars.ContextVar[str] = contextvars.ContextVar("left", default="")

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen = left.get()
        left.set("something")
        start_response("200 OK", PLAIN)
        return [seen.encode() + b"."]

    with running(app) as server, server.connect() as sock:
        answers = []
        for _ in range(2):
            sock.sendall(GET % b"")
            answers.append(read_until(sock, b".").rpartition(b"\n")[2])

    assert [b".", b"."] == answers


def test_who_waits_for_its_client_has_no_place() -> None:
    """
    Neither for a body nor for a reader: slow clients would lock everybody out.
    """
    with (
        running(large, busiest=1) as server,
        server.connect() as sender,
        server.connect() as reader,
    ):
        loop: Any = server.loop
        sender.sendall(POST % (3, b"") + b"a")
        wait_until(lambda: loop.waiting == 1, "one waits for a body")
        reader.sendall(GET % b"large")
        wait_until(lambda: loop.waiting == 2, "one waits for its reader")
        answer = server.ask(LAST % b"quick")
        sender.sendall(b"bc")
        late = read_until(sender, b"abc.")

    assert answer.endswith(b"quick.")
    assert late.endswith(b"abc.")


def large(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The body and the path, or 20 MB."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", PLAIN)
    if environ["PATH_INFO"] == "/large":
        return [b"x" * 20_000_000]
    return [environ["PATH_INFO"].encode() + body + b"."]
