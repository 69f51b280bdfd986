"""What an application may ask of its worker, in every kind of worker."""

import http.client
import os
import signal
from functools import partial
from pathlib import Path

import pytest
from children import child
from conftest import Serve
from kinds import KINDS
from mail import heard, hears, numbers, start
from running import LIMIT, state, wait_until

import tiamat
from tiamat.system.messages import Post, Retiring
from tiamat.workers.current import CurrentWorker


@pytest.mark.parametrize("kind", KINDS)
def test_all_hear_what_one_posts(serve: Serve, kind: str) -> None:
    """The one that posts, too; in its order, and each once."""
    server = start(serve, kind)
    answer = server.get("/?to=all&count=300").text

    assert "300 from" in answer
    for slot in (0, 1):
        wait_until(partial(hears, server, slot, 300), "all come")
        assert list(range(300)) == numbers(server, slot)


@pytest.mark.parametrize("kind", ["asgi"])
def test_an_event_loop_hears_in_three_ways(serve: Serve, kind: str) -> None:
    """By a function, by a coroutine function, and by iteration."""
    server = start(serve, kind)
    server.get("/?to=all&count=2")
    wanted = {"iterated 0", "iterated 1", "awaited 0", "awaited 1"}
    wait_until(lambda: wanted <= set(heard(server, 0)), "all ways")

    assert [0, 1] == numbers(server, 0)


def test_one_worker_hears_by_its_slot(serve: Serve) -> None:
    """Nobody else does."""
    server = start(serve, "sync")
    server.get("/?to=1&count=5")
    wait_until(lambda: len(numbers(server, 1)) == 5, "it comes")

    assert [] == heard(server, 0)


def test_a_thread_of_the_application_s_may_post(serve: Serve) -> None:
    """And a process that it forks is no worker."""
    server = serve("apps.posting:on_a_thread")

    assert "3 from 0 gen 1" == server.get("/?to=all&count=3").text
    wait_until(lambda: [0, 1, 2] == numbers(server, 0), "it comes")
    assert "0" == server.get("/?fork=1").text


def test_a_worker_retires_when_its_application_wants_it(serve: Serve) -> None:
    """With its reason in the log, and a replacement first."""
    server = serve("apps.posting:app")
    server.get("/?retire=enough")
    server.wait_for_log(r"worker 0 gen=1 pid=\d+ wants to be replaced: enough")
    server.wait_for_log(r"worker 0 gen=1 pid=\d+ retires: application")
    server.wait_for_log("serves", 2)


@pytest.mark.parametrize("kind", KINDS)
def test_an_application_hears_that_the_master_is_gone(serve: Serve, kind: str) -> None:
    """Before its worker ends."""
    server = start(serve, kind)
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()
    server.wait_until_all_are_gone()

    assert "orphaned" in heard(server, 0)
    assert "orphaned" in heard(server, 1)


STOPS = """
import os, signal

def post_worker_init(worker):
    send = worker.send

    def stop_behind(message):
        sent = send(message)
        os.kill(os.getpid(), signal.SIGSTOP)
        return sent

    worker.send = stop_behind
"""


@pytest.mark.parametrize("kind", KINDS)
def test_who_begins_to_serve_hears_it_too(serve: Serve, kind: str) -> None:
    """The master's word that it may serve, and its end, come at the same time."""
    app, *words = KINDS[kind]
    server = serve(f"apps.posting:{app}", *words, config=STOPS)
    server.wait_for_log("serves")
    worker = server.workers()[0]
    wait_until(lambda: "T" == state(worker), "it stands still")
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()
    os.kill(worker, signal.SIGCONT)
    server.wait_until_all_are_gone()

    assert ["orphaned"] == heard(server, 0)


THINKS = """
import time, tiamat

def post_worker_init(worker):
    def think():
        open("begun", "w").close()
        time.sleep(1.0)
        open("thought", "w").close()

    tiamat.current_worker().on_orphaned(think)
"""


@pytest.mark.parametrize("kind", ["threads", "gevent"])
def test_a_worker_does_not_end_while_it_hears_it(serve: Serve, kind: str) -> None:
    """In a thread or a greenlet of its own, which may wait for something."""
    app, *words = KINDS[kind]
    server = serve(f"apps.posting:{app}", *words, config=THINKS)
    client = http.client.HTTPConnection(*server.address, timeout=LIMIT)
    client.request("GET", "/")
    client.getresponse().read()  # kept alive, so that the worker has to look after it
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()
    wait_until((server.directory / "begun").exists, "it hears")
    client.close()
    server.wait_until_all_are_gone()

    assert (server.directory / "thought").exists()


def test_elsewhere_there_is_no_worker() -> None:
    """So an application that asks runs under any server."""
    assert tiamat.current_worker() is None


def test_what_cannot_be_posted_is_refused(tmp_path: Path) -> None:
    """At once, and where it is posted."""
    with child(tmp_path) as one:
        worker = CurrentWorker(one.worker)
        with pytest.raises(ValueError, match="60000"):
            worker.post("x" * 60_000)
        with pytest.raises(TypeError):
            worker.post(object())
        with pytest.raises(ValueError, match="neither"):
            worker.post(1, to="them")

        assert worker.post("y" * 59_000, topic="t")
        assert Post("t", "y" * 59_000, "master") == one.forked.channel.receive()


def test_who_does_not_wait_is_told_that_there_is_no_room(tmp_path: Path) -> None:
    """And what the worker itself has to say finds some."""
    with child(tmp_path) as one:
        worker = CurrentWorker(one.worker)
        sent = 0
        while worker.post("x" * 1000):
            sent += 1

        assert sent
        assert not worker.post("x" * 1000, patience=0.01)
        one.worker.retire("max_requests")
        one.there.close()
        received = [one.forked.channel.receive() for _ in range(sent + 1)]

        assert Retiring("max_requests") == received[-1]
