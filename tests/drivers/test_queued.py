"""What happens on a connection while somebody else serves it."""

from drivers.loops import GET, LAST, Gate, only, read_all, running
from running import LIMIT, wait_until

pytestmark = only("threads")


def test_what_comes_meanwhile_is_read_afterwards() -> None:
    """
    A second request on a busy connection waits in the kernel, not in a loop that
    spins, and is answered behind the first.
    """
    gate = Gate()
    with running(gate) as server, server.connect() as sock:
        sock.sendall(GET % b"wait")
        assert gate.entered.wait(LIMIT)
        sock.sendall(LAST % b"second")
        [connection] = server.loop._connections.values()
        wait_until(lambda: connection.disarmed, "it is out of the poller")  # type: ignore[attr-defined]
        gate.opened.set()
        answer = read_all(sock)

    assert (b"/second", 2) == (answer[-7:], answer.count(b"HTTP/1.1 200"))


def test_who_goes_meanwhile_is_let_go_of_at_the_end() -> None:
    """
    A client that resets its connection leaves nothing behind.
    """
    gate = Gate()
    with running(gate) as server:
        sock = server.connect()
        sock.sendall(GET % b"wait")
        assert gate.entered.wait(LIMIT)
        sock.close()
        gate.opened.set()
        wait_until(lambda: not server.loop.connections, "it is closed")


def test_new_connections_wait_outside_while_no_thread_is_free() -> None:
    """
    The listener is left to other workers; who is here already is still read.
    """
    gate = Gate()
    with running(gate) as server:
        socks = [server.connect() for _ in range(4)]
        for sock in socks:
            sock.sendall(LAST % b"wait")
        wait_until(lambda: server.loop.paused, "nothing is accepted")
        with server.connect() as late:
            late.sendall(LAST % b"late")
            gate.opened.set()
            answers = [read_all(sock)[-5:] for sock in socks]
            after = read_all(late)
        for sock in socks:
            sock.close()

    assert [b"/wait"] * 4 == answers
    assert b"/late" == after[-5:]
