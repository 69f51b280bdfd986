"""What happens on a connection while a thread serves it, and another one leads."""

from typing import Any

from drivers.loops import LAST, Gate, only, read_all, running
from running import LIMIT

pytestmark = only("threads")


def test_a_reader_gets_what_there_is_while_the_application_goes_on() -> None:
    """
    What the socket did not take is sent by the leader; the rest comes later.
    """
    gate = Gate()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        yield b"~" * 8_000_000
        gate.entered.set()
        assert gate.opened.wait(LIMIT)
        yield b"#" * 8_000_000

    with running(app) as server, server.connect() as sock:
        sock.sendall(LAST % b"")
        assert gate.entered.wait(LIMIT)
        got = 0
        while got < 8_000_000:
            got += sock.recv(1 << 20).count(b"~")
        gate.opened.set()
        rest = read_all(sock)

    assert (8_000_000, 8_000_000) == (got, rest.count(b"#"))
