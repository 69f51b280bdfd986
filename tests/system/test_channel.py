"""Messages and descriptors between two sockets; the end of the other side."""

import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tiamat.system.channel import FRAME_LIMIT, LENGTH, Channel
from tiamat.system.messages import (
    TEXT_LIMIT,
    Accept,
    Drain,
    Message,
    Ready,
    Retiring,
    Stack,
)

Pair = tuple[Channel, Channel]

CHILD = """
import socket, sys
from tiamat.system.channel import Channel
from tiamat.system.messages import Ready
Channel(socket.socket(fileno=int(sys.argv[1]))).send(Ready())
"""


@pytest.fixture(params=[False, True], ids=["packets", "stream"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two ends, of each kind."""
    if not request.param and sys.platform != "linux":
        pytest.skip("SOCK_SEQPACKET for Unix sockets is Linux's")
    ends = Channel.pair(stream=request.param)
    yield ends
    for end in ends:
        end.close()


def wait_for(channel: Channel) -> Message | None:
    """The next message, which may take its time; of a stream it may be here."""
    if message := channel.receive():
        return message
    select.select([channel], [], [], 30)
    return channel.receive()


def test_messages_arrive_in_order(pair: Pair) -> None:
    """Their borders are kept, however many wait."""
    master, worker = pair
    sent: list[Message] = [Ready(), Retiring("max_requests"), Stack("a" * 1000)]
    for message in sent:
        worker.send(message)

    assert sent == [master.receive() for _ in sent]


def test_both_ends_speak(pair: Pair) -> None:
    """The master answers over the same channel."""
    master, worker = pair

    assert worker.send(Ready())
    assert master.send(Accept())
    assert [Ready(), Accept()] == [master.receive(), worker.receive()]


def test_without_a_message_nothing_is_received(pair: Pair) -> None:
    """Who asks never waits."""
    master, _ = pair

    assert master.receive() is None


def test_the_end_comes_after_the_last_message(pair: Pair) -> None:
    """What a process said before it died is heard."""
    master, worker = pair
    worker.send(Ready())
    worker.close()

    assert Ready() == master.receive()
    with pytest.raises(EOFError):
        master.receive()


def test_the_end_of_who_did_not_listen_is_an_end(pair: Pair) -> None:
    """A process that died with messages unread is gone like any other."""
    master, worker = pair
    master.send(Accept())
    worker.close()

    with pytest.raises(EOFError):
        master.receive()


def test_the_end_of_a_process_is_heard(pair: Pair) -> None:
    """A worker's death is readable: nobody has to wait for it."""
    master, worker = pair
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(worker.fileno())], pass_fds=[worker.fileno()]
    ):
        worker.close()

        assert Ready() == wait_for(master)
        with pytest.raises(EOFError):
            wait_for(master)


def test_nothing_can_be_sent_to_who_is_gone(pair: Pair) -> None:
    """It is told, not raised."""
    master, worker = pair
    worker.close()

    assert not master.send(Accept())


def test_who_does_not_read_holds_nobody_up(pair: Pair) -> None:
    """When there is no room, the master goes on; what was sent arrives whole."""
    master, worker = pair
    sent = 0
    while master.send(Drain(final=True)):
        sent += 1

    assert sent > 0
    for _ in range(sent):
        assert Drain(final=True) == worker.receive()


def test_a_worker_waits_for_room(pair: Pair) -> None:
    """With patience a message waits until the other side reads."""
    master, worker = pair
    sent = 0
    while worker.send(Ready()):
        sent += 1
    thread = threading.Thread(
        target=worker.send, args=(Retiring("late"),), kwargs={"patience": 30.0}
    )
    thread.start()
    for _ in range(sent):
        master.receive()
    last = wait_for(master)
    thread.join()

    assert Retiring("late") == last


@pytest.mark.parametrize("letter", ["x", "é", "😀", "\0", "\udc80"])
def test_the_longest_text_fits(pair: Pair, letter: str) -> None:
    """Whatever it is made of, and nobody has to read meanwhile."""
    master, worker = pair
    message = Stack(letter * TEXT_LIMIT)

    assert worker.send(message)
    assert message == master.receive()


def test_descriptors_come_along(pair: Pair) -> None:
    """A message carries open files; who takes them has copies of its own."""
    master, worker = pair
    reader, writer = os.pipe()
    worker.send(Ready(), (reader, writer))
    os.close(reader)
    os.close(writer)

    assert Ready() == master.receive()
    reader, writer = master.descriptors
    os.write(writer, b"hello")
    assert os.read(reader, 10) == b"hello"
    assert not os.get_inheritable(reader)
    os.close(reader)
    os.close(writer)


def test_half_a_frame_is_no_message_yet() -> None:
    """A stream may hand over any part of a message first."""
    here, there = socket.socketpair()
    data = b'["Ready", {}]'
    frame = LENGTH.pack(len(data)) + data
    with here:
        channel = Channel(there)
        for index in range(len(frame) - 1):
            here.send(frame[index : index + 1])
            assert channel.receive() is None
        here.send(frame[-1:])

        assert Ready() == channel.receive()
        channel.close()


def test_a_frame_too_long_is_an_error() -> None:
    """A worker gone bad can't fill the master's memory."""
    here, there = socket.socketpair()
    with here:
        here.send(LENGTH.pack(FRAME_LIMIT))
        channel = Channel(there)

        with pytest.raises(ValueError, match="a message of"):
            channel.receive()
        channel.close()


def test_what_is_no_message_is_an_error(pair: Pair) -> None:
    """The master is told of it by a ValueError, and goes on with the next one."""
    master, worker = pair
    frame = LENGTH.pack(1) + b"x" if worker.sock.type == socket.SOCK_STREAM else b"x"
    worker.sock.send(frame)
    worker.send(Ready())

    with pytest.raises(ValueError, match="Expecting value"):
        master.receive()
    assert Ready() == master.receive()
