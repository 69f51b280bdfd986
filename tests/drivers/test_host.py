"""What connections share: places in the application, deadlines, the end."""

import threading
from typing import Any

from drivers.hosts import hosting
from drivers.loops import read_all, read_until
from running import wait_until

PLAIN = [("Content-Type", "text/plain")]
GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"


class Gate:
    """An application that answers when the test lets it."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.open = threading.Semaphore(0)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.open.acquire(timeout=20)
        self.inside -= 1
        start_response("200 OK", PLAIN)
        return [b"out."]


def test_no_more_requests_than_there_are_places() -> None:
    """
    A third one waits for one of two; all are answered, and all places free again.
    """
    gate = Gate()
    with hosting(gate, busiest=2) as server:
        socks = [server.connect() for _ in range(3)]
        for sock in socks:
            sock.sendall(GET % b"")
        wait_until(lambda: server.host.turns and gate.inside == 2, "one waits")
        for _ in socks:
            gate.open.release()
        for sock in socks:
            assert read_until(sock, b"out.").endswith(b"out.")
            sock.close()
        wait_until(lambda: not server.host.active, "the places are free")

    assert 2 == gate.most
    assert not server.host.pressed


def test_an_old_request_is_told_once() -> None:
    """
    And the row shows it as long as it is in the application.
    """
    gate = Gate()
    with hosting(gate) as server, server.connect() as sock:
        host = server.host
        sock.sendall(GET % b"old?secret")
        wait_until(lambda: gate.inside, "the request is in the application")
        now = host.clock() + 10

        assert [] == list(host.overdue(now, 20))
        assert ["GET /old"] == [str(c) for c in host.overdue(now, 5)]
        assert [] == list(host.overdue(now, 5))

        host.row.end()
        host.show_oldest()
        shown = host.row.request()  # type: ignore[attr-defined]
        gate.open.release()
        read_until(sock, b"out.")
        wait_until(lambda: not host.active, "it is out of the application")
        host.show_oldest()

        assert ("GET", "/old?secret") == shown[:2]
        assert host.row.request() is None  # type: ignore[attr-defined]


def test_who_has_gone_on_is_not_late() -> None:
    """
    A deadline that has moved meanwhile expires nobody.
    """
    gate = Gate()
    with hosting(gate) as server, server.connect() as sock:
        host = server.host
        wait_until(lambda: host.connections, "the connection is here")
        late = host.late(host.clock() + 1000)
        sock.sendall(GET % b"")
        wait_until(lambda: gate.inside, "the request is in the application")
        host.expire(late)
        gate.open.release()

        assert 1 == len(late)
        assert read_until(sock, b"out.").endswith(b"out.")


def test_the_last_response_closes() -> None:
    """
    An idle connection stays for one more request, and hears that it ends.
    """
    gate = Gate()
    gate.open.release(2)
    with hosting(gate) as server, server.connect() as sock:
        sock.sendall(GET % b"")
        first = read_until(sock, b"out.")
        server.host.hasten()
        sock.sendall(GET % b"")
        last = read_all(sock)

    assert b"Connection: close" not in first
    assert b"Connection: close" in last


def test_room_is_made_among_those_without_a_request() -> None:
    """
    The one that is silent is closed, the one in the application answered.
    """
    gate = Gate()
    with hosting(gate) as server:
        silent, busy = server.connect(), server.connect()
        busy.sendall(GET % b"")
        wait_until(lambda: gate.inside, "a request is in the application")
        wait_until(lambda: len(server.host.connections) == 2, "both are here")
        server.host.evict(5)
        with silent:
            assert b"" == read_all(silent)
        gate.open.release()
        with busy:
            assert read_until(busy, b"out.").endswith(b"out.")


def test_enough_is_told() -> None:
    """
    Behind the request with that number.
    """
    gate = Gate()
    gate.open.release(2)
    told: list[int] = []
    with hosting(gate) as server, server.connect() as sock:
        host = server.host
        host.enough = 2
        host.had_enough = lambda: told.append(host.handled)  # type: ignore[method-assign]
        for _ in range(2):
            sock.sendall(GET % b"")
            read_until(sock, b"out.")
        wait_until(lambda: not host.active, "both are answered")

    assert [2] == told
