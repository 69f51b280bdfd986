"""Threads that take turns at leading: who serves, who is woken, how it ends."""

import threading
from typing import Any

from drivers.loops import LAST, name, only, read_all, running
from running import LIMIT, wait_until

from tiamat.drivers.pool import Pool
from tiamat.drivers.seat import Seat

pytestmark = only("threads")


def living(pool: Pool) -> list[Seat]:
    """Those whose thread has not ended."""
    return [seat for seat in pool.seats if seat.thread.is_alive()]


def test_one_after_the_other_waits_for_a_thread() -> None:
    """
    More requests than threads: all are answered, by no more threads than allowed.
    """
    with running(name) as server:
        socks = [server.connect() for _ in range(30)]
        for sock in socks:
            sock.sendall(LAST % b"0.02")
        names = {read_all(sock).rpartition(b"\n")[2] for sock in socks}
        for sock in socks:
            sock.close()
        handled = server.handled

    assert 30 == handled
    assert len(names) <= 4


def test_a_pool_ends_with_its_threads() -> None:
    """
    The end wakes who sleeps, and waits for who serves.
    """
    with running(name) as server:
        socks = [server.connect() for _ in range(4)]
        for sock in socks:
            sock.sendall(LAST % b"0.1")
        for sock in socks:
            read_all(sock)
            sock.close()
        pool = server.pool

    assert [] == living(pool)


def test_a_thread_that_does_not_end_is_told() -> None:
    """
    ``end`` waits to its deadline, no longer, and says who is left.
    """
    opened = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        assert opened.wait(LIMIT)
        start_response("200 OK", [])
        return [b"x"]

    with running(app) as server, server.connect() as sock:
        sock.sendall(LAST % b"")
        pool = server.pool
        wait_until(lambda: pool.begun, "it is in the application")
        server.stopping = True
        wait_until(lambda: pool.ended, "the pool ends")
        wait_until(lambda: len(living(pool)) == 1, "all but one have ended")
        [left] = living(pool)
        opened.set()

    assert 1 == left.begun
