"""What applications say to one another, on its way through the master."""

import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from children import Child, child
from conftest import Serve
from kinds import KINDS
from mail import heard, numbers, start
from running import LIMIT, Server, wait_until

from tiamat.master.post import ROOM, Outbox
from tiamat.system.messages import Missed, Posted, encode

HOOKS = """
def on_worker_message(server, worker, message):
    if message.data == 4:
        raise RuntimeError("the hook has a mistake")
    server.log.info("%s: %s %s", worker, message.topic, message.data)
    server.broadcast(message.data * 10, topic="numbers")
    server.broadcast(message.data * 100, topic="numbers", to=message.sender)
"""


SLOTS = (0, 1)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Child]:
    """A worker that does not read."""
    with child(tmp_path) as made:
        yield made


def test_the_master_hears_and_says(serve: Serve) -> None:
    """A hook with a mistake harms nobody."""
    server = serve("apps.posting:app", config=HOOKS)
    server.expect("Traceback")
    server.get("/?count=6")
    wait_until(lambda: "None 500 0" in heard(server, 0), "the last comes")

    wanted = [f"None {n * factor} 0" for n in (0, 1, 2, 3, 5) for factor in (10, 100)]
    assert wanted == heard(server, 0)
    server.wait_for_log(r"worker 0 gen=1 pid=\d+: numbers 5")
    server.wait_for_log("the hook on_worker_message failed: .*the hook has a mistake")


def test_a_worker_that_does_not_read_misses_messages(one: Child) -> None:
    """What waits for it is bounded, and it hears how many there was no room for."""
    outbox, channel = Outbox(), one.there
    data = encode(Posted("", "x" * 50_000, 1))
    while outbox.put(data):
        pass
    outbox.put(data)

    assert 2 == outbox.missed == outbox.dropped
    assert outbox.size <= ROOM

    kept = len(outbox.waiting)
    received = []
    while not outbox.flush(one.forked):
        received.append(channel.receive())
    received += [channel.receive() for _ in range(kept - len(received))]

    assert [Posted("", "x" * 50_000, 1)] * kept == received

    outbox.put(data)
    outbox.flush(one.forked)

    assert Missed(2) == channel.receive()
    assert Posted("", "x" * 50_000, 1) == channel.receive()


def test_a_worker_that_is_killed_while_it_posts_harms_nobody(serve: Serve) -> None:
    """Another one takes its place, and messages go on."""
    server = start(serve, "threads")
    server.expect("SIGKILL")
    pids = server.workers()
    server.get("/?to=all&count=1")
    wait_until(lambda: heard(server, 0) and heard(server, 1), "both hear")
    sending = http.client.HTTPConnection(*server.address)
    sending.request("GET", "/?to=all&count=1000000")
    wait_until(lambda: len(heard(server, 0)) > 1000, "it posts")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    sending.close()
    server.wait_for_log("serves", 4)
    before = len(heard(server, 1))
    server.get("/?to=all&count=10")
    wait_until(lambda: len(heard(server, 1)) >= before + 10, "they hear again")


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_thousand_messages(serve: Serve, kind: str) -> None:
    """From two requests at once: the order is kept, and what is missed is counted."""
    server = start(serve, kind)
    count, firsts = 50_000, (0, 50_000)
    sent: list[int] = []

    def post(first: int, count: int) -> None:
        client = http.client.HTTPConnection(*server.address, timeout=10 * LIMIT)
        client.request("GET", f"/?to=all&count={count}&first={first}")
        sent.append(int(client.getresponse().read().split()[0]))
        client.close()

    posts = [threading.Thread(target=post, args=(first, count)) for first in firsts]
    for thread in posts:
        thread.start()
    for thread in posts:
        thread.join()

    def all_is_told() -> bool:
        """The next one tells how many were dropped, unless it is dropped, too."""
        post(2 * count, 1)
        until = time.monotonic() + 1.0
        while time.monotonic() < until and any(
            told(server, n) < sum(sent) for n in SLOTS
        ):
            pass
        return all(told(server, slot) == sum(sent) for slot in SLOTS)

    wait_until(all_is_told, "all is told")
    for slot in SLOTS:
        got = numbers(server, slot)
        print(f"{kind}: slot {slot} missed {sum(sent) - len(got)}")
        for first in firsts:
            posted = [number for number in got if first <= number < first + count]
            assert posted == sorted(set(posted))


def told(server: Server, slot: int) -> int:
    """How many messages a worker has heard, or was told that it missed."""
    lines = [line.split() for line in heard(server, slot)]
    return sum(1 + int(line[2]) for line in lines if line[0].isdigit())
