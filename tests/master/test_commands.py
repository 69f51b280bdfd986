"""What may be asked of the master, and what comes back."""

import json
import signal
from pathlib import Path

import pytest
from asking import begin, ctl, data_of, end, pids_of
from conftest import Serve
from running import Load, Server, wait_until

from tiamat.config import Config
from tiamat.master.answers import Answer, parameters
from tiamat.master.arbiter import Arbiter
from tiamat.master.commands import COMMANDS, call, changes, in_words


@pytest.fixture
def arbiter(tmp_path: Path) -> Arbiter:
    """A master without a loop."""
    one = Arbiter(Config(workers=2, errorlog=str(tmp_path / "error.log")))
    one.premises.open_log()
    return one


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The control socket."""
    return tmp_path / "c" / "control"


def start(serve: Serve, path: Path, app: str, *flags: str, workers: int = 2) -> Server:
    """A server with a control socket, which serves."""
    server = serve(app, f"--control-socket={path}", f"--workers={workers}", *flags)
    server.wait_for_log("serves", times=workers)
    return server


# --- The table ----------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_help(name: str) -> None:
    """One sentence of its own, and one for each parameter."""
    command = COMMANDS[name]
    summary = (command.__doc__ or "").strip().partition("\n")[0]

    assert summary.endswith(".")
    assert all(parameter.help for parameter in parameters(command))
    assert name == command.__name__


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("sing", {}, "no command 'sing'; there are status, reload, scale"),
        ("status", {"a": 1}, "status takes no 'a'"),
        ("scale", {}, "scale takes a whole number for 'count'"),
        ("scale", {"count": "2"}, "scale takes a whole number for 'count'"),
        ("scale", {"count": True}, "scale takes a whole number for 'count'"),
        ("reload", {"wait": 1}, "reload takes true or false for 'wait'"),
    ],
)
def test_other_arguments_are_refused(
    arbiter: Arbiter, name: str, arguments: dict[str, object], complaint: str
) -> None:
    """The socket may bring anything."""
    with pytest.raises(ValueError, match=complaint):
        call(arbiter, name, arguments)

    arbiter.stop()


def test_what_changes_something_is_logged_as_it_is_given() -> None:
    """What only reads is not."""
    assert "reload --wait" == in_words("reload", {"wait": True})
    assert "stop" == in_words("stop", {"now": False})
    assert "scale 4" == in_words("scale", {"count": 4})
    assert {"reload", "scale", "restart", "reopen", "stop"} == {
        *filter(changes, COMMANDS)
    }
    assert not changes("sing")


@pytest.mark.parametrize("count", [0, -1, 129])
def test_there_are_limits_to_the_number_of_workers(
    arbiter: Arbiter, count: int
) -> None:
    """As with TTIN and TTOU."""
    answer = call(arbiter, "scale", {"count": count})

    assert Answer(1, f"there can be 1 to 128 workers, not {count}") == answer
    assert 2 == arbiter.roster.target

    arbiter.stop()


def test_a_server_that_stops_takes_no_orders(arbiter: Arbiter) -> None:
    """It has one already; to stop is no other one."""
    arbiter.stopping = True

    assert Answer(1, "the server is stopping") == call(arbiter, "reload", {})
    assert Answer(1, "the server is stopping") == call(arbiter, "scale", {"count": 3})
    assert Answer(1, "no worker serves in slot 0") == call(
        arbiter, "restart", {"slot": 0}
    )
    assert Answer(0, "stopping, within 30 s") == call(arbiter, "stop", {})

    arbiter.stop()


def test_a_slot_that_is_not_there_has_no_worker(arbiter: Arbiter) -> None:
    """Neither to restart nor to look at."""
    assert Answer(1, "no worker serves in slot 7") == call(
        arbiter, "restart", {"slot": 7}
    )
    assert Answer(1, "there is no worker in slot 7") == call(
        arbiter, "stack", {"slot": 7}
    )

    arbiter.stop()


# --- In a server ----------------------------------------------------------------------


def test_status_shows_what_is_in_the_application(serve: Serve, path: Path) -> None:
    """Master, workers, numbers; and the query of a request is nobody's business."""
    server = start(serve, path, "apps.slow:app")
    server.get()
    client = server.begin("/a?600")
    status = data_of(path, "status")
    busy = [worker for worker in status["workers"] if worker["request"]]

    assert server.pid == status["pid"]
    assert (2, 2, 1) == (status["target"], status["serving"], status["generation"])
    assert [f"http://127.0.0.1:{server.address[1]}"] == status["listeners"]
    assert not status["stopping"]
    assert not status["reloading"]
    assert status["last_reload"] is None
    assert [0, 1] == [worker["slot"] for worker in status["workers"]]
    assert server.workers() == sorted(worker["pid"] for worker in status["workers"])
    assert ["/a"] == [worker["request"]["path"] for worker in busy]
    assert [True] == [worker["busy"] for worker in busy]
    assert [1] == [worker["in_flight"] for worker in busy]
    assert all(worker["memory"] > 1 << 20 for worker in status["workers"])
    assert ([], None) == (status["molds"], status["helper"])

    server.signal(signal.SIGINT)
    client.close()


def test_scale_is_a_number_and_not_a_difference(serve: Serve, path: Path) -> None:
    """However often it is given."""
    server = start(serve, path, "apps.pid:app")
    for _ in range(3):
        assert {"target": 4} == data_of(path, "scale", "4")
    wait_until(lambda: len(server.workers()) == 4, "there are four")
    data_of(path, "scale", "1")
    wait_until(lambda: len(server.workers()) == 1, "there is one")

    assert 1 == data_of(path, "status")["target"]


def test_restart_replaces_one_worker_and_loses_nothing(
    serve: Serve, path: Path
) -> None:
    """The new one serves before the old one retires; the others stay."""
    server = start(serve, path, "apps.pid:app")
    before = pids_of(path)
    with Load(server.address) as load:
        assert 0 == ctl(f"--socket={path}", "restart", "1").returncode
        server.wait_for_log(r"worker 1 .* retires: restart")
        wait_until(lambda: len(server.workers()) == 2, "the old one is gone")
        load.wait_for_requests()

    assert [] == load.losses
    after = pids_of(path)
    assert before[0] == after[0]
    assert before[1] != after[1]
    first, second = (
        server.log.index("serves", server.log.index("restart 1")),
        (server.log.index("retires: restart")),
    )
    assert first < second


def test_stack_shows_what_a_worker_is_at(serve: Serve, path: Path) -> None:
    """Also in the middle of a request."""
    server = start(serve, path, "apps.slow:app", workers=1)
    client = server.begin("/?600")
    done = ctl(f"--socket={path}", "stack", "0")

    assert 0 == done.returncode
    assert "Thread MainThread:\n" in done.stdout
    assert "time.sleep(float(environ" in done.stdout

    server.signal(signal.SIGINT)
    client.close()


def test_a_worker_that_does_not_answer_is_told_of(serve: Serve, path: Path) -> None:
    """No thread of it runs; the master does not wait for longer than two seconds."""
    server = start(serve, path, "apps.stuck:app", workers=1)
    server.expect("SIGKILL")
    client = server.begin("/")
    pid = server.workers()[0]
    done = ctl(f"--socket={path}", "stack", "0")

    assert (
        1,
        f"tiamatctl: worker 0 gen=1 pid={pid} does not answer within 2 s\n",
    ) == (done.returncode, done.stderr)

    server.signal(signal.SIGINT)
    client.close()


def test_reopen_opens_the_log_again(serve: Serve, path: Path, tmp_path: Path) -> None:
    """After it was moved away."""
    server = start(serve, path, "apps.pid:app")
    moved = tmp_path / "moved.log"
    server.log_path.rename(moved)

    assert 0 == ctl(f"--socket={path}", "reopen").returncode

    server.wait_for_log("logs reopened")

    assert "control socket: reopen" in moved.read_text()


def test_stop_finishes_and_stop_now_does_not(serve: Serve, path: Path) -> None:
    """The exit status of the server is 0."""
    server = start(serve, path, "apps.slow:app")
    client = server.begin("/?600")

    assert "stopping, within 30 s\n" == ctl(f"--socket={path}", "stop").stdout

    wait_until(lambda: data_of(path, "status")["stopping"], "it stops")
    assert "stopping at once\n" == ctl(f"--socket={path}", "stop", "--now").stdout
    assert 0 == server.wait_for_exit()

    client.close()


def test_config_is_what_is_in_force(serve: Serve, path: Path) -> None:
    """With where it comes from."""
    start(serve, path, "apps.pid:app", "--timeout=7")

    assert {"value": "7.0", "origin": "--timeout"} == data_of(path, "config")["timeout"]

    text = ctl(f"--socket={path}", "config").stdout

    assert "timeout = 7.0                             # --timeout\n" in text
    assert text.endswith("# The application: apps.pid:app\n")


def test_who_waits_longer_is_heard_beside_others(serve: Serve, path: Path) -> None:
    """An answer that takes its time keeps nobody else waiting."""
    server = start(serve, path, "apps.stuck:app", workers=1)
    server.expect("SIGKILL")
    client = server.begin("/")
    waiting = begin(path, "stack", "0")
    answers = [data_of(path, "status") for _ in range(3)]

    assert [1, 1, 1] == [answer["target"] for answer in answers]
    assert 1 == end(waiting)[0]

    server.signal(signal.SIGINT)
    client.close()


def test_json_of_a_failure_has_its_words(serve: Serve, path: Path) -> None:
    """The exit status is the same as without."""
    start(serve, path, "apps.pid:app", workers=1)
    done = ctl(f"--socket={path}", "--json", "scale", "0")

    assert 1 == done.returncode
    assert {
        "status": 1,
        "text": "there can be 1 to 128 workers, not 0",
        "data": None,
    } == json.loads(done.stdout)
