"""WebSockets as bytes: what comes, what goes, and how they end."""

import random
import struct
from collections.abc import Iterable
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol.handshakes import COMMON, request
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from tiamat.protocol.handshake import Compression, WebSocketSettings
from tiamat.protocol.websocket import WebSocket

TEXT, BINARY, CONTINUED = 1, 2, 0
CLOSE, PING, PONG = 8, 9, 10


def accepted(**options: object) -> WebSocket:
    """A WebSocket behind its 101, without compression unless told."""
    options = {"compression": "off", **options}
    socket = WebSocket(request(), WebSocketSettings(**options))  # type: ignore[arg-type]
    socket.accept(None, [], COMMON)
    return socket


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0
) -> bytes:
    """A frame as a client sends it, masked with four different bytes."""
    mask = b"\x01\x82\x43\xc4"
    size = len(payload)
    head = bytes((opcode | (fin << 7) | (rsv << 4),))
    if size < 126:
        head += bytes((0x80 | size,))
    elif size < 65536:
        head += struct.pack(">BH", 0xFE, size)
    else:
        head += struct.pack(">BQ", 0xFF, size)
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return head + mask + masked


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, struct.pack(">H", code) + reason.encode())


def read(socket: WebSocket, pieces: Iterable[bytes]) -> list[str | bytes]:
    """Everything that came out of *pieces*, taken as soon as it was there."""
    taken: list[str | bytes] = []
    for piece in pieces:
        socket.receive_data(piece)
        while socket.messages:
            taken.append(socket.messages.popleft())
            socket.resume()
    return taken


class Client:
    """The other side, by the library's own core."""

    def __init__(self, **options: object) -> None:
        self.core = ClientProtocol(parse_uri("ws://a/"), **options)  # type: ignore[arg-type]
        self.core.send_request(self.core.connect())
        self.head = b"".join(self.core.data_to_send())

    def receive(self, data: bytes) -> list[Frame]:
        self.core.receive_data(data)
        return [one for one in self.core.events_received() if isinstance(one, Frame)]


def test_what_comes_before_the_101_is_not_lost() -> None:
    """A client may be in a hurry; its messages are there behind the acceptance."""
    socket = WebSocket(request(), WebSocketSettings())
    socket.receive_data(frame(TEXT, b"early")[:3])
    socket.receive_data(frame(TEXT, b"early")[3:])
    assert not socket.messages

    socket.accept(None, [], COMMON)

    assert ["early"] == list(socket.messages)


# --- Messages in ----------------------------------------------------------------

WIRE = (
    frame(TEXT, "grüß".encode())
    + frame(BINARY)
    + frame(PING, b"p" * 125)
    + frame(TEXT, b"a" * 126)
    + frame(TEXT, "ü".encode()[:1], fin=False)
    + frame(PONG)
    + frame(CONTINUED, b"", fin=False)
    + frame(CONTINUED, "ü".encode()[1:] + b"b")
    + frame(BINARY, b"c" * 300)
    + frame(BINARY, b"\x00", fin=False)
    + frame(CONTINUED, b"\xff")
    + frame(TEXT)
)
MESSAGES = ["grüß", b"", "a" * 126, "üb", b"c" * 300, b"\x00\xff", ""]


def test_cuts_change_nothing() -> None:
    """Two pieces, cut anywhere: the same messages and the same pong."""
    for at in range(len(WIRE) + 1):
        socket = accepted()

        assert MESSAGES == read(socket, (WIRE[:at], WIRE[at:]))
        assert b"\x8a\x7d" + b"p" * 125 == socket.reply
        assert socket.open


def test_byte_by_byte_is_the_same() -> None:
    """The slowest client, and a frame of 64 bits of length."""
    socket = accepted()
    wire = WIRE + frame(BINARY, b"d" * 70_000)

    assert [*MESSAGES, b"d" * 70_000] == read(
        socket, (wire[at : at + 1] for at in range(len(wire)))
    )


@given(st.binary(max_size=200), st.integers(0, 200), st.randoms())
@settings(max_examples=300, deadline=None)
def test_garbage_ends_it_and_nothing_else(
    noise: bytes, at: int, chance: random.Random
) -> None:
    """However it is cut: never an exception, and the same end."""
    start = chance.randrange(len(WIRE))
    wire = WIRE[:start] + noise + WIRE[start:]
    seen = []
    for pieces in ((wire,), (wire[:at], wire[at:])):
        socket = accepted()
        seen.append((read(socket, pieces), socket.ended, socket.finished))

    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (b"\x81\x01a", 1002),  # not masked
        (frame(3, b"a"), 1002),
        (frame(TEXT, b"a", rsv=4), 1002),
        (frame(BINARY, b"a", rsv=1), 1002),
        (frame(CONTINUED, b"a"), 1002),
        (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
        (frame(PING, b"a", fin=False), 1002),
        (frame(PING, b"a" * 126), 1002),
        (frame(CLOSE, b"a"), 1002),
        (close_frame(1005), 1002),
        (close_frame(999), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xc3", fin=False) + frame(CONTINUED, b"a"), 1007),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (frame(TEXT, b"a" * 201), 1009),
        (frame(TEXT, b"a" * 160, fin=False) + frame(CONTINUED, b"a" * 41), 1009),
        (frame(TEXT, b"a" * 70_000)[:14], 1009),
    ],
)
def test_mistakes_have_their_codes(wire: bytes, code: int) -> None:
    """RFC 6455, 7.4.1; both sides hear it, and nothing behind it is read."""
    socket = accepted(max_message_size=200)
    socket.receive_data(frame(TEXT, b"good"))
    socket.receive_data(wire + frame(TEXT, b"late"))

    assert ["good"] == list(socket.messages)
    assert socket.ended is not None
    assert code == socket.ended[0]
    assert socket.finished
    assert not socket.open
    assert struct.pack(">H", code) == socket.reply[2:4]


def test_a_message_may_be_as_long_as_allowed() -> None:
    """The limit itself is within it, in one frame or in two."""
    socket = accepted(max_message_size=100)

    assert ["a" * 100, "b" * 100] == read(
        socket,
        (
            frame(TEXT, b"a" * 100),
            frame(TEXT, b"b" * 50, fin=False) + frame(CONTINUED, b"b" * 50),
        ),
    )


def test_only_the_last_ping_is_answered() -> None:
    """RFC 6455, 5.5.3: so pings can't fill memory with pongs that nobody reads."""
    socket = accepted()
    socket.receive_data(b"".join(frame(PING, b"%d" % n) for n in range(1000)))

    assert b"\x8a\x03999" == socket.reply


# --- Messages out ---------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
@pytest.mark.parametrize("compression", ["on", "no_context_takeover", "off"])
def test_a_client_understands_what_goes(size: int, compression: str) -> None:
    """Text and bytes of every length field, as they are and compressed."""
    client = Client(
        extensions=[ClientPerMessageDeflateFactory()] if size != 125 else None
    )
    options = WebSocketSettings(compression=cast(Compression, compression))
    socket = WebSocket(request(client.head), options)
    client.core.receive_data(socket.accept(None, [], COMMON))
    (answer,) = client.core.events_received()
    assert isinstance(answer, Response)
    agreed = answer.headers.get("Sec-WebSocket-Extensions")
    assert (agreed is not None) == (compression != "off" and size != 125)
    for message in ("t" * size, b"b" * size, bytearray(b"c" * size)):
        (got,) = client.receive(socket.send(message))

        wanted = message.encode() if isinstance(message, str) else bytes(message)
        assert wanted == bytes(got.data)
        assert got.opcode == (Opcode.TEXT if isinstance(message, str) else BINARY)
        client.core.send_text(wanted)

        assert [wanted.decode()] == read(socket, client.core.data_to_send())


def test_a_compressed_message_counts_as_what_it_becomes() -> None:
    """CVE-2018-1000518: a small frame can hold a large message."""
    client = Client(extensions=[ClientPerMessageDeflateFactory()])
    socket = WebSocket(request(client.head), WebSocketSettings(1000))
    client.core.receive_data(socket.accept(None, [], COMMON))
    client.core.events_received()
    client.core.send_text(b"a" * 1001)
    (wire,) = client.core.data_to_send()
    assert len(wire) < 100

    socket.receive_data(wire)

    assert socket.ended is not None
    assert socket.ended[0] == 1009


def test_what_is_compressed_is_inflated_when_there_is_room() -> None:
    """A read full of small frames is not a memory full of large messages."""
    client = Client(extensions=[ClientPerMessageDeflateFactory()])
    socket = WebSocket(request(client.head), WebSocketSettings())
    client.core.receive_data(socket.accept(None, [], COMMON))
    client.core.events_received()
    for _ in range(50):
        client.core.send_text(b"a" * 100_000)
    wire = b"".join(client.core.data_to_send())
    socket.receive_data(wire[:-1])
    socket.receive_data(wire[-1:])
    assert len(socket.messages) == 1

    taken = 0
    while socket.messages:
        socket.messages.clear()
        taken += 1
        socket.resume()

    assert taken == 50


# --- The end --------------------------------------------------------------------


def test_the_peer_closes() -> None:
    """Its code and reason are heard behind its messages, and its code is echoed."""
    socket = accepted()
    socket.receive_data(frame(TEXT, b"last") + close_frame(4001, "enough"))

    assert ["last"] == list(socket.messages)
    assert (4001, "enough") == socket.ended
    assert b"\x88\x08\x0f\xa1enough" == socket.reply
    assert socket.finished


def test_the_peer_closes_without_a_code() -> None:
    """That is 1005, which no frame carries."""
    socket = accepted()
    socket.receive_data(frame(CLOSE))

    assert (1005, "") == socket.ended
    assert b"\x88\x00" == socket.reply


def test_the_peer_is_gone() -> None:
    """Without a close frame that is 1006."""
    socket = accepted()
    socket.receive_eof()

    assert (1006, "") == socket.ended
    assert socket.finished


@pytest.mark.parametrize("answer", [close_frame(1000), close_frame(3000), frame(CLOSE)])
def test_we_close(answer: bytes) -> None:
    """What comes until the answer is dropped; then the connection ends."""
    socket = accepted()
    assert b"\x88\x05\x03\xe8bye" == socket.close(1000, "bye")
    assert not socket.open
    assert not socket.finished

    socket.receive_data(frame(TEXT, b"late") + frame(TEXT, b"\xff"))
    socket.receive_data(answer)

    assert not socket.messages
    assert (1000, "bye") == socket.ended
    assert socket.finished


def test_a_long_reason_is_cut_between_characters() -> None:
    """A close frame holds 123 bytes of it (RFC 6455, 5.5)."""
    socket = accepted()
    wire = socket.close(1000, "ü" * 100)

    assert "ü" * 61 == wire[4:].decode()


@pytest.mark.parametrize("code", [0, 999, 1004, 1006, 1015, 2000, 5000])
def test_a_code_that_no_frame_has_is_refused(code: int) -> None:
    """RFC 6455, 7.4; the socket stays open."""
    socket = accepted()
    with pytest.raises(ValueError, match=f"{code} is no code"):
        socket.close(code)

    assert socket.open
    assert socket.ended is None


def test_no_code_is_a_frame_without_one() -> None:
    """An application that passes 1005 on means that there was none."""
    assert b"\x88\x00" == accepted().close(1005)


def test_a_failure_does_not_wait_for_the_peer() -> None:
    """RFC 6455, 7.1.7."""
    socket = accepted()
    socket.fail(1011, "no pong")

    assert b"\x88\x09\x03\xf3no pong" == socket.reply
    assert (1011, "no pong") == socket.ended
    assert socket.finished
