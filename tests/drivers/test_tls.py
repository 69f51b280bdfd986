"""TLS under a selector loop: nothing strands, is lost, or comes twice."""

import select
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from authority import Authority, make_authority

from tiamat.drivers.tls import TLSSocket
from tiamat.system.tls import Certificate, TLSValues, make_context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def context(authority: Authority) -> ssl.SSLContext:
    cert = str(authority.issue("localhost"))
    return make_context(TLSValues(certificates=[Certificate(cert)]))


class Told:
    """Hears how a handshake goes."""

    def __init__(self) -> None:
        self.steps: list[Any] = []

    def goes_on(self, sent: bool) -> None:
        self.steps.append(sent)

    def failed(self, error: OSError) -> None:
        self.steps.append(error)

    def done(self, tls: Any) -> None:
        self.steps.append("done")


class Client:
    """The other side of a socket pair, over buffers: it sends what the test wants."""

    def __init__(self, authority: Authority, context: ssl.SSLContext) -> None:
        self.sock, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.server = TLSSocket(theirs, context)
        self.told = Told()
        self.server.opening = self.told  # type: ignore[assignment]
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = authority.client().wrap_bio(
            self.incoming, self.outgoing, server_hostname="localhost"
        )

    def close(self) -> None:
        self.sock.close()
        self.server.close()

    def shake_hands(self) -> None:
        """Let both sides talk until the client is content."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.sock.sendall(self.outgoing.read())
                with pytest.raises(BlockingIOError):
                    self.server.recv(16384)
                self.take()
                continue
            break
        self.sock.sendall(self.outgoing.read())
        with pytest.raises(BlockingIOError):
            self.server.recv(16384)
        self.take()

    def take(self) -> None:
        """Take what the server has sent."""
        while select.select([self.sock], (), (), 0)[0]:
            data = self.sock.recv(65536)
            if not data:
                return
            self.incoming.write(data)

    def read(self) -> bytes:
        """All that can be decrypted of it."""
        parts = []
        try:
            while data := self.tls.read(16384):
                parts.append(data)
        except ssl.SSLWantReadError:
            pass
        return b"".join(parts)

    def encrypted(self, *texts: bytes) -> bytes:
        """What goes over the wire for these, a record each."""
        for text in texts:
            self.tls.write(text)
        return self.outgoing.read()


@pytest.fixture
def client(authority: Authority, context: ssl.SSLContext) -> Iterator[Client]:
    made = Client(authority, context)
    yield made
    made.close()


def test_a_handshake_is_told_of_when_it_is_done(client: Client) -> None:
    """Before that there is nothing to read."""
    client.shake_hands()

    assert [True, "done"] == client.told.steps
    assert client.server.opening is None


def test_a_handshake_waits_for_a_socket_that_is_full(authority: Authority) -> None:
    """A chain of many certificates is more than some sockets take at once."""
    cert = authority.issue("localhost", file="long.pem")
    with cert.open("a") as file:
        file.write(authority.path.read_text() * 60)
    context = make_context(TLSValues(certificates=[Certificate(str(cert))]))
    client = Client(authority, context)
    client.server._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.sock.sendall(client.outgoing.read())
    with pytest.raises(BlockingIOError):
        client.server.recv(16384)
    assert [False] == client.told.steps
    while not client.server.flush():
        client.take()
    client.take()
    client.tls.do_handshake()
    client.sock.sendall(client.encrypted(b"here"))

    assert b"here" == client.server.recv(16384)
    client.close()


def test_all_that_has_come_is_read_at_once(client: Client) -> None:
    """No poller tells of records that wait decrypted or in a buffer."""
    client.shake_hands()
    texts = [b"%d" % number * 3000 for number in range(8)]
    client.sock.sendall(client.encrypted(*texts))

    got = client.server.recv(1 << 20)

    assert b"".join(texts) == got
    with pytest.raises(BlockingIOError):
        client.server.recv(1 << 20)


def test_a_record_in_pieces_is_read_when_it_is_whole(client: Client) -> None:
    """Until then nothing is here."""
    client.shake_hands()
    wire = client.encrypted(b"x" * 5000)
    for index in range(0, len(wire) - 1, 1000):
        client.sock.sendall(wire[index : min(index + 1000, len(wire) - 1)])
        with pytest.raises(BlockingIOError):
            client.server.recv(16384)
    client.sock.sendall(wire[-1:])

    assert b"x" * 5000 == client.server.recv(16384)


def test_what_comes_with_the_handshakes_end_is_read(client: Client) -> None:
    """TLS 1.3 lets a client send its request with its last word of the handshake."""
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.sock.sendall(client.outgoing.read())
    with pytest.raises(BlockingIOError):
        client.server.recv(16384)
    client.take()
    client.tls.do_handshake()
    client.sock.sendall(client.encrypted(b"at once"))

    assert b"at once" == client.server.recv(16384)


def test_an_end_that_comes_with_data_is_seen_behind_it(client: Client) -> None:
    """Though nothing more comes: the poller tells of it all the same."""
    client.shake_hands()
    client.tls.write(b"last")
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.unwrap()
    client.sock.sendall(client.outgoing.read())

    assert b"last" == client.server.recv(16384)
    assert select.select([client.server], (), (), 0)[0]
    assert b"" == client.server.recv(16384)
    assert b"" == client.server.recv(16384)


def test_a_client_that_goes_without_a_word_has_ended(client: Client) -> None:
    """As on a plain socket; who is strict hears of an error."""
    client.shake_hands()
    client.sock.close()

    assert b"" == client.server.recv(16384)


def test_that_is_an_error_to_who_is_strict(
    authority: Authority, context: ssl.SSLContext
) -> None:
    """``suppress_ragged_eofs = False``."""
    client = Client(authority, context)
    client.server._ragged = False
    client.shake_hands()
    client.sock.close()

    with pytest.raises(ssl.SSLEOFError):
        client.server.recv(16384)
    client.close()


def test_garbage_in_a_record_is_an_error_behind_what_was_good(client: Client) -> None:
    """The client is told by an alert."""
    client.shake_hands()
    wire = client.encrypted(b"good", b"bad")
    client.sock.sendall(wire[:-1] + bytes([wire[-1] ^ 1]))

    assert b"good" == client.server.recv(16384)
    with pytest.raises(ssl.SSLError):
        client.server.recv(16384)
    client.take()
    with pytest.raises(ssl.SSLError, match=r"(?i)bad.record.mac"):
        client.read()


def test_garbage_for_a_handshake_is_an_error(client: Client) -> None:
    """It is told of, and there is no connection."""
    client.sock.sendall(b"\x16\x03\x01\x00\x05hello")

    with pytest.raises(ssl.SSLError):
        client.server.recv(16384)
    assert isinstance(client.told.steps[-1], ssl.SSLError)


def test_a_client_that_connects_and_goes_is_an_end(client: Client) -> None:
    """Nothing of OpenSSL was made for it."""
    client.sock.close()

    assert b"" == client.server.recv(16384)


@pytest.mark.parametrize("size", [1, 2, 100, 16384, 16385, 70_000, 1_000_000])
def test_every_byte_is_sent_once(client: Client, size: int) -> None:
    """Whatever the socket takes at a time: who writes goes on where it stopped."""
    client.shake_hands()
    client.server._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    data = bytes(number % 251 for number in range(size))
    left = memoryview(data)
    got = b""
    while left:
        try:
            left = left[client.server.send(left) :]
        except BlockingIOError:
            assert not select.select((), [client.server], (), 0)[1]
        client.take()
        got += client.read()

    assert data == got


def test_what_counts_as_sent_is_with_the_kernel(client: Client) -> None:
    """Else nobody would wait until the socket takes the rest."""
    client.shake_hands()
    sent = client.server.send(b"x" * 5_000_000)
    assert sent < 5_000_000
    with pytest.raises(BlockingIOError):
        client.server.send(b"x")
    client.take()
    assert 1 == client.server.send(b"x")
    client.take()

    assert b"x" * (sent + 1) == client.read()


def test_pieces_are_sent_as_one(client: Client) -> None:
    """As ``sendmsg``."""
    client.shake_hands()

    assert 9 == client.server.sendmsg([b"head", b"-", b"body"])
    client.take()
    assert b"head-body" == client.read()


def test_a_file_is_read_and_sent(client: Client, tmp_path: Path) -> None:
    """The kernel can't encrypt it; 0 tells that there is no more of it."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    client.shake_hands()
    with path.open("rb") as file:
        assert 4 == client.server.send_part(file.fileno(), 2, 4)
        assert 0 == client.server.send_part(file.fileno(), 10, 4)
    client.take()

    assert b"2345" == client.read()


def test_a_farewell_is_a_close_notify(client: Client) -> None:
    """So the client knows that it has everything."""
    client.shake_hands()
    client.server.shutdown(socket.SHUT_WR)
    client.take()

    client.tls.unwrap()  # wants no more than has come


def test_a_farewell_waits_for_a_socket_that_is_full(client: Client) -> None:
    """Without it the client would have to take its response for a part of one."""
    client.shake_hands()
    assert client.server.send(b"x" * 5_000_000) < 5_000_000
    assert not client.server.farewell()
    client.take()
    assert client.server.farewell()
    client.take()
    got = 0
    while data := client.tls.read(65536):  # nothing is the end, and was said
        got += len(data)
    assert got


def test_closing_says_nothing(client: Client) -> None:
    """What is aborted must look so, also in a process that an application forks."""
    client.shake_hands()
    client.server.close()

    assert b"" == client.sock.recv(100)
