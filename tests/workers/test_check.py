"""A worker that puts a request to itself, before anybody connects."""

import signal
from pathlib import Path

import pytest
from children import child
from conftest import Serve
from running import Load, Server

from tiamat.config import Config
from tiamat.system.messages import Checked
from tiamat.workers import check

WORKERS = pytest.mark.parametrize(
    "flags",
    [
        ("-k", "sync"),
        ("-k", "threads", "--threads=2"),
        ("-k", "gevent"),
        ("-k", "asgi"),
        pytest.param(("-k", "h11"), marks=pytest.mark.soak),
    ],
    ids=lambda flags: flags[1],
)

REFUSED = "reload refused, going on as before: check failed: "


def start(serve: Serve, flags: tuple[str, ...], *more: str) -> Server:
    """A server with one worker, whose reloads are checked at /healthz."""
    name = "asgi" if flags[1] in ("asgi", "h11") else "app"
    server = serve(f"apps.health:{name}", *flags, "--reload-check=/healthz", *more)
    server.get("/")
    return server


def reload(server: Server, health: str) -> None:
    """Reload to an application in this state."""
    (server.directory / "health").write_text(health)
    server.signal(signal.SIGHUP)


@WORKERS
def test_what_answers_well_takes_over(serve: Serve, flags: tuple[str, ...]) -> None:
    """The request comes to the new worker itself; a start has no check."""
    server = start(serve, flags)
    assert not (server.directory / "asked").exists()
    with Load(server.address) as load:
        reload(server, "204" if flags[1] == "sync" else "201")
        server.wait_for_log("gen=2 .* has passed its check")
        server.wait_for_log("every worker is of generation 2")
        load.wait_for_requests()

    assert [] == load.losses
    assert ["http localhost localhost 127.0.0.1"] == asked(server)


@WORKERS
def test_what_answers_badly_is_refused(serve: Serve, flags: tuple[str, ...]) -> None:
    """The old worker has not noticed anything, and a later reload may go well."""
    server = start(serve, flags)
    before = server.get("/").text
    with Load(server.address) as load:
        reload(server, "503")
        server.wait_for_log(
            f"{REFUSED}GET /healthz was answered with 503, not 200-299\n"
        )
        load.wait_for_requests()

    assert [] == load.losses
    assert [before] == list(load.texts)

    reload(server, "200")
    server.wait_for_log("every worker is of generation [23]")


@WORKERS
def test_what_does_not_answer_is_refused(serve: Serve, flags: tuple[str, ...]) -> None:
    """
    Within ``reload_check_timeout``; whether the worker hangs or waits.

    It serves nobody, so it has no graceful_timeout, and is gone at once.
    """
    server = start(serve, flags, "--reload-check-timeout=1", "--graceful-timeout=600")
    for word in ("SIGKILL", "Traceback"):
        server.expect(word)
    before = server.get("/").text
    reload(server, "hang")
    server.wait_for_log(f"{REFUSED}GET /healthz was not answered within 1 s")
    server.wait_for_log(r"gen=2 pid=\d+ (exited|ended after ABRT|killed by SIGKILL)")

    assert before == server.get("/").text


def test_what_dies_of_it_is_refused(serve: Serve) -> None:
    """A worker that crashes in its check is no worker to go on with."""
    server = start(serve, ("-k", "sync"))
    before = server.get("/").text
    reload(server, "die")
    server.wait_for_log(f"{REFUSED}the first worker of the new generation did not come")

    assert before == server.get("/").text


def test_a_url_says_what_the_application_is_told(serve: Serve) -> None:
    """Its host and its scheme; other statuses may be as good."""
    server = serve(
        "apps.health:app",
        "--reload-check=https://shop.example:8443/healthz",
        "--reload-check-status=200,401-403",
    )
    server.get("/")
    reload(server, "402")
    server.wait_for_log("every worker is of generation 2")

    assert ["https shop.example:8443 shop.example 127.0.0.1"] == asked(server)


HOOK = """
reload_check = "/healthz"
def check_worker(worker):
    {}
"""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("return False", "the hook check_worker returned False\n"),
        ("1 / 0", "the hook check_worker failed: ZeroDivisionError: division by zero"),
        pytest.param(
            "import time; time.sleep(600)",
            r"no result within 1 s \(reload_check_timeout\)",
            id="hang",
        ),
    ],
)
def test_a_hook_may_refuse_a_worker(serve: Serve, body: str, why: str) -> None:
    """It runs in that worker; what it raises is in the log with its lines."""
    server = serve("apps.health:app", "--graceful-timeout=1")
    for word in ("SIGKILL", "Traceback"):
        server.expect(word)
    before = server.get("/").text
    limit = "reload_check_timeout = 1\n" if "sleep" in body else ""
    server.config_path.write_text(limit + HOOK.format(body))
    server.signal(signal.SIGHUP)
    server.wait_for_log(REFUSED + why)
    if body == "1 / 0":
        server.wait_for_log(
            r"Traceback .*\n.*tiamat.conf.py\", line 4, in check_worker"
        )

    assert before == server.get("/").text
    assert not (server.directory / "asked").exists()


def test_a_hook_that_is_content_lets_the_request_follow(serve: Serve) -> None:
    """The worker has loaded the application by then."""
    server = serve("apps.health:app")
    server.get("/")
    server.config_path.write_text(HOOK.format("assert worker.app"))
    server.signal(signal.SIGHUP)
    server.wait_for_log("every worker is of generation 2")

    assert 1 == len(asked(server))


def test_a_class_that_can_not_serve_it_is_not_checked(tmp_path: Path) -> None:
    """A worker class of the user's may have another protocol: the log says so."""
    with child(tmp_path, config=Config(reload_check="/healthz")) as one:
        check.begin(one.worker)

        assert Checked(0, "") == one.forked.channel.receive()
        assert "Worker can't put a request to itself" in one.logged


@pytest.mark.parametrize(
    ("status", "wanted", "expected"),
    [
        (200, "200-299", True),
        (299, "200-299", True),
        (300, "200-299", False),
        (401, "200-299,401", True),
        (402, "200,401", False),
    ],
)
def test_statuses_are_numbers_and_ranges(
    status: int, wanted: str, expected: bool
) -> None:
    """As ``reload_check_status`` writes them."""
    assert expected is check.is_among(status, wanted)


def asked(server: Server) -> list[str]:
    """What the application has noted of its requests to /healthz."""
    return (server.directory / "asked").read_text().splitlines()
