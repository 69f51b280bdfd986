"""A thread of a pool: it leads, serves, and gives the lead away."""

from drivers.loops import GET, LAST, name, only, read_all, read_until, running

pytestmark = only("threads")


def test_an_application_that_answers_at_once_needs_one_thread() -> None:
    """
    It leads, reads and serves; no other one is even started.
    """
    with running(name) as server, server.connect() as sock:
        answers = set()
        for _ in range(50):
            sock.sendall(GET % b"")
            answers.add(read_until(sock, b";").rpartition(b"\n")[2])
        seats = len(server.pool.seats)

    assert {b"worker-thread-1;"} == answers or seats > 1  # a busy machine is slow


def test_who_waits_is_served_by_another_thread() -> None:
    """
    The lead goes on while the leader is in the application.
    """
    with running(name) as server, server.connect() as slow:
        slow.sendall(LAST % b"0.5")
        other = server.ask(LAST % b"0")
        first = read_all(slow)

    assert first.rpartition(b"\n")[2] != other.rpartition(b"\n")[2]
