"""Workers that have reached a limit are replaced, and nobody else notices."""

import re
from pathlib import Path

import pytest
from children import Child, child
from conftest import Serve
from running import Load, wait_until

from tiamat.config import Config
from tiamat.system.messages import Message, Retiring
from tiamat.workers.recycling import EVERY, JITTER, Recycling, spread

WORKERS = pytest.mark.parametrize(
    ("app", "flags"),
    [
        ("app", ("-k", "sync")),
        pytest.param("app", ("-k", "threads", "--threads=2"), marks=pytest.mark.soak),
        pytest.param("app", ("-k", "gevent"), marks=pytest.mark.soak),
        pytest.param("asgi", ("-k", "asgi"), marks=pytest.mark.soak),
        pytest.param("asgi", ("-k", "h11"), marks=pytest.mark.soak),
    ],
    ids=["sync", "threads", "gevent", "asgi", "h11"],
)

LIMITS = pytest.mark.parametrize(
    "limit", ["--max-requests=100", "--max-worker-age=1.5"], ids=["requests", "age"]
)

# Its private memory grows by what /leak is asked for, in MiB.
LEAKS = """
import os
KEPT = []

def app(environ, start_response):
    if environ["PATH_INFO"] == "/leak":
        KEPT.append(os.urandom(int(environ["QUERY_STRING"]) << 20))
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""


# It can be imported by two workers, and by others when there is a file ``mended``.
AGES = """
import os
def post_fork(server, worker):
    os.environ["AGE"] = str(worker.age)
"""

TWICE = """
import os
if int(os.environ["AGE"]) > 2 and not os.path.exists("mended"):
    raise ImportError("two are enough")
from apps.health import *
"""

EVENT = re.compile(r"\] worker (\d) gen=1 pid=(\d+) (serves|retires)")


def serving(log: str) -> set[int]:
    """How many workers served at a time, since there was one in both slots."""
    count, counts, slots = 0, set(), set()
    for slot, _, word in EVENT.findall(log):
        count += 1 if word == "serves" else -1
        slots.add(slot)
        if len(slots) == 2:
            counts.add(count)
    return counts


@WORKERS
@LIMITS
def test_replacements_are_ready_first_and_come_one_by_one(
    serve: Serve, app: str, flags: tuple[str, ...], limit: str
) -> None:
    """Under load no request is lost, and never does a worker less serve."""
    server = serve(f"apps.health:{app}", *flags, "--workers=2", limit)
    server.wait_for_log("serves", times=2)
    with Load(server.address) as load:
        server.wait_for_log("retires: max_", times=6)
        load.wait_for_requests()

    assert [] == load.losses
    assert {2, 3} == serving(server.log)


@WORKERS
@LIMITS
def test_whoever_can_not_be_replaced_goes_on(
    serve: Serve, tmp_path: Path, app: str, flags: tuple[str, ...], limit: str
) -> None:
    """With code that can't be imported, workers at their limit serve until it can."""
    write(tmp_path, TWICE)
    server = serve(f"shop:{app}", *flags, "--workers=2", limit, config=AGES)
    server.expect("Traceback")
    server.wait_for_log("serves", times=2)
    with Load(server.address) as load:
        server.wait_for_log("can't boot: 'shop' failed", times=4)
        load.wait_for_requests(100)
        retired = server.log.count("retires")
        living = {str(pid) for pid in server.workers()}
        (server.directory / "mended").touch()
        server.wait_for_log("retires: max_", times=2)
        load.wait_for_requests()

    assert [] == load.losses
    assert 0 == retired
    assert {pid for _, pid, _ in EVENT.findall(server.log)[:2]} <= living
    assert {2, 3} == serving(server.log)


def test_who_has_grown_is_replaced(serve: Serve, tmp_path: Path) -> None:
    """By its private memory; the log says how much it was."""
    write(tmp_path, LEAKS)
    server = serve("shop:app", "--max-worker-memory=160M")
    before = server.get("/").text
    server.get("/leak?100")
    grown = server.get("/leak?100").text
    server.wait_for_log(r"\d\d\d MiB of private memory, the limit is 1[456]\d MiB")
    server.wait_for_log("retires: max_worker_memory")
    wait_until(lambda: before != server.get("/").text, "another worker serves")

    assert before == grown


def test_who_begins_too_large_is_left_alone(serve: Serve) -> None:
    """Its replacement would be as large: that would never end."""
    server = serve("apps.pid:app", "--max-worker-memory=1M")
    server.wait_for_log(
        r"max_worker_memory has no effect: \d+ MiB are in use before the first request"
    )
    server.get()

    assert "retires" not in server.log


def asked(one: Child) -> list[Message | None]:
    """What the worker has asked its master for."""
    return [one.forked.channel.receive() for _ in range(2)]


def test_a_worker_is_as_old_as_it_serves(tmp_path: Path) -> None:
    """Its age begins when it accepts, and it asks once."""
    with child(tmp_path, config=Config(max_worker_age=100)) as one:
        recycling = Recycling(one.worker)
        assert recycling.deadline == float("inf")
        recycling.begin(1000.0)
        assert 1000 + 100 * (1 - JITTER) <= recycling.deadline <= 1100
        recycling.look(recycling.deadline - 0.1)
        assert [None, None] == asked(one)
        recycling.look(recycling.deadline)

        assert [Retiring("max_worker_age"), None] == asked(one)
        assert recycling.deadline == float("inf")


def test_memory_is_not_looked_at_all_the_time(tmp_path: Path) -> None:
    """For each look the kernel walks through all pages of the process."""
    with child(tmp_path, config=Config(max_worker_memory=1 << 40)) as one:
        recycling = Recycling(one.worker)
        recycling.begin(1000.0)

        assert 1000 + EVERY == recycling.deadline


def test_nobody_is_replaced_who_has_no_limit(tmp_path: Path) -> None:
    """The helper sleeps until the master speaks."""
    with child(tmp_path) as one:
        recycling = Recycling(one.worker)
        recycling.begin(1000.0)

        assert recycling.deadline == float("inf")


def test_limits_are_spread() -> None:
    """Never above what was set, and at most a tenth below."""
    limits = [spread(1000) for _ in range(1000)]

    assert 900 <= min(limits) < 920
    assert 980 < max(limits) <= 1000


def write(tmp_path: Path, text: str) -> None:
    """Be the module ``shop`` of the first server."""
    directory = tmp_path / "server-0"
    directory.mkdir(exist_ok=True)
    (directory / "shop.py").write_text(text)
