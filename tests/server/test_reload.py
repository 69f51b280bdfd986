"""A reload whose new workers die is undone, and says so."""

import signal
from pathlib import Path

import pytest
from conftest import Serve
from running import Load, Server, wait_until

DIES = """
import os
from apps.pid import app as pid

def app(environ, start_response):
    if environ["PATH_INFO"] == "/die":
        os._exit(7)
    return pid(environ, start_response)
"""

# With these settings a worker dies when it has been told to serve, but for the first
# one of its generation: that is the candidate, whose boot the reload waits for.
HALF = """
workers = 4
def post_worker_init(worker):
    import os
    if os.path.exists("second"):
        os._exit(7)
    open("second", "w").close()
"""


def start(serve: Serve, tmp_path: Path, config: str, bind: str = "") -> Server:
    """A server with two workers of the first generation, and its settings."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "dies.py").write_text(DIES)
    server = serve("dies:app", config=config, bind=bind)
    server.wait_for_log("serves", times=2)
    return server


def reload(server: Server, config: str) -> None:
    """Change the settings, and have them read."""
    server.config_path.write_text(config)
    server.signal(signal.SIGHUP)


def die(server: Server, workers: int) -> None:
    """A request that its worker does not survive, when the old ones have gone."""
    wait_until(lambda: len(server.workers()) == workers, "only new workers are left")
    with pytest.raises(OSError, match=r".*"):
        server.get("/die")


def test_a_reload_that_proves_good_says_so(serve: Serve, tmp_path: Path) -> None:
    """When its workers have lived for ``reload_watch`` seconds."""
    server = start(serve, tmp_path, "workers = 2\n")
    reload(server, "workers = 3\nreload_watch = 0.5\n")
    server.wait_for_log("every worker is of generation 2")
    server.wait_for_log("reload: committed, generation 2 has proved good")
    die(server, 3)
    server.wait_for_log("gen=2.*exited with status 7")
    server.wait_for_log("gen=2 pid=.* serves", times=4)

    assert "rolled back" not in server.log


def test_a_death_while_it_is_watched_brings_the_old_settings_back(
    serve: Serve, tmp_path: Path
) -> None:
    """Their number of workers, too; nobody else loses a request by it."""
    server = start(serve, tmp_path, "workers = 2\n")
    reload(server, "workers = 3\nproc_name = 'new'\n")
    server.wait_for_log("every worker is of generation 2")
    die(server, 3)
    server.wait_for_log("reload: rolled back to generation 1, since worker . gen=2")
    with Load(server.address) as load:
        server.wait_for_log("gen=1 pid=.* serves", times=4)
        wait_until(lambda: len(server.workers()) == 2, "two workers are left")

    assert [] == load.losses
    assert len(server.workers()) == 2


def test_a_death_in_half_of_the_roll_leaves_the_old_workers(
    serve: Serve, tmp_path: Path
) -> None:
    """Those that have not retired yet go on; the others are made again."""
    server = start(serve, tmp_path, "workers = 4\n")
    server.wait_for_log("serves", times=4)
    before = set(server.workers())
    with Load(server.address) as load:
        reload(server, HALF)
        server.wait_for_log("reload: rolled back to generation 1")
        wait_until(lambda: len(server.workers()) == 4, "four workers serve")
        load.wait_for_requests(40)

    assert [] == load.losses
    assert 3 <= len(before & set(server.workers()))


def test_an_address_that_the_reload_gave_up_is_there_again(
    serve: Serve, tmp_path: Path
) -> None:
    """Also when all workers had been replaced, and the address was closed."""
    path = tmp_path / "old"
    config = "workers = 2\nbind = ['127.0.0.1:0'{}]\n"
    server = start(serve, tmp_path, config.format(f", 'unix:{path}'"), bind="none")
    reload(server, config.format(""))
    server.wait_for_log("every worker is of generation 2")
    assert not path.exists()
    die(server, 2)
    server.wait_for_log("rolled back to generation 1")
    server.wait_for_log("gen=1 pid=.* serves", times=4)

    assert path.exists()


def test_one_more_reload_has_a_new_number(serve: Serve, tmp_path: Path) -> None:
    """A generation that was rolled back is not counted again."""
    server = start(serve, tmp_path, "workers = 2\n")
    reload(server, "workers = 1\n")
    server.wait_for_log("every worker is of generation 2")
    die(server, 1)
    server.wait_for_log("rolled back")
    reload(server, "workers = 2\n")
    server.wait_for_log("every worker is of generation 3")


def test_a_reload_during_another_one_waits_for_it(serve: Serve, tmp_path: Path) -> None:
    """It follows when that has replaced every worker, and is watched itself."""
    server = start(serve, tmp_path, "workers = 2\nreload_watch = 60\n")
    server.signal(signal.SIGHUP)
    server.wait_for_log("HUP: reloading")
    server.signal(signal.SIGHUP)
    server.wait_for_log("HUP: reloading", times=2)
    server.wait_for_log("every worker is of generation 3")

    assert "every worker is of generation 2" in server.log


def test_old_workers_keep_the_timeout_that_they_began_with(serve: Serve) -> None:
    """A shorter one of the new settings ends none of their requests."""
    server = serve("apps.slow:app", config="timeout = 60\n")
    client = server.begin("/?5")
    reload(server, "timeout = 2\n")
    server.wait_for_log("every worker is of generation 2")
    status = client.getresponse().status
    client.close()

    assert 200 == status
