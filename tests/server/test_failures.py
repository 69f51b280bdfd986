"""What breaks, and what goes on all the same."""

import http.client
import os
import resource
import signal
import textwrap
import time
from pathlib import Path

from conftest import Serve
from running import LIMIT, Load, Server, wait_until

GOOD = """
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


def write_app(server_directory: Path, text: str) -> None:
    """Write the module ``site_app`` of a server."""
    (server_directory / "site_app.py").write_text(textwrap.dedent(text))


def serve_site(serve: Serve, tmp_path: Path, *flags: str, **options: str) -> Server:
    """A server of an application that the test may change."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    write_app(directory, GOOD)
    return serve("site_app:app", *flags, **options)


# --- Reload --------------------------------------------------------------------------


def test_a_broken_config_file_changes_nothing(serve: Serve) -> None:
    """
    HUP with a syntax error in the file: the log names it, the workers go on.
    """
    server = serve("apps.pid:app", "--workers=2", config="timeout = 30\n")
    server.get()
    before = server.workers()
    with Load(server.address) as load:
        server.config_path.write_text("timeout = = 30\n")
        server.signal(signal.SIGHUP)
        server.wait_for_log("reload refused, going on as before: .*tiamat.conf.py")
        load.wait_for_requests()

    assert [] == load.losses
    assert before == server.workers()


def test_a_config_file_that_exits_changes_nothing(serve: Serve) -> None:
    """
    HUP with sys.exit() in the file ends a trial process, not the master.
    """
    server = serve("apps.pid:app", config="timeout = 30\n")
    server.get()
    before = server.workers()
    server.config_path.write_text("import sys\nsys.exit(5)\n")
    server.signal(signal.SIGHUP)
    server.wait_for_log("reload refused")

    assert before == server.workers()
    assert 200 == server.get().status


def test_a_config_file_that_kills_changes_nothing(serve: Serve) -> None:
    """
    HUP with a file that crashes the interpreter: a trial process dies of it.
    """
    server = serve("apps.pid:app", config="timeout = 30\n")
    server.get()
    before = server.workers()
    server.config_path.write_text("import os\nos.abort()\n")
    server.signal(signal.SIGHUP)
    server.wait_for_log("reload refused.*killed by SIGABRT")

    assert before == server.workers()


def test_a_worker_class_that_is_unknown_changes_nothing(serve: Serve) -> None:
    """
    HUP with a worker class that does not exist is refused.
    """
    server = serve("apps.pid:app", config="timeout = 30\n")
    server.get()
    server.config_path.write_text("worker_class = 'no.such:Worker'\n")
    server.signal(signal.SIGHUP)
    server.wait_for_log("reload refused.*no.such")

    assert 200 == server.get().status


def test_a_broken_application_changes_nothing(serve: Serve, tmp_path: Path) -> None:
    """
    HUP with an application that can't be imported: the old workers serve on.
    """
    server = serve_site(serve, tmp_path, "--workers=2")
    server.expect("Traceback")
    server.get()
    before = server.workers()
    with Load(server.address) as load:
        write_app(server.directory, "import no_such_module_anywhere\n")
        server.signal(signal.SIGHUP)
        server.wait_for_log("reload refused")
        load.wait_for_requests()

    assert [] == load.losses
    assert before == server.workers()
    assert "no_such_module_anywhere" in server.log


def test_a_log_that_can_not_be_had_changes_nothing(
    serve: Serve, tmp_path: Path
) -> None:
    """
    The candidate could open it, the master can't: the old settings stay in force.
    """
    server = serve_site(serve, tmp_path, config="timeout = 30\n")
    server.wait_for_log("serves")
    before, log = server.workers(), server.directory / "logs" / "access.log"
    log.parent.mkdir()
    write_app(server.directory, f"import os\nos.rename('logs', 'gone')\n{GOOD}")
    server.config_path.write_text(f"timeout = 30\naccesslog = '{log}'\nworkers = 3\n")
    server.signal(signal.SIGHUP)
    server.wait_for_log("reload refused, going on as before: .*accesslog = .*log'")
    server.wait_for_log(r"gen=2 pid=\d+ exited")

    assert before == server.workers()


def test_a_pid_file_that_can_not_be_had_changes_nothing(serve: Serve) -> None:
    """
    It belongs to another server: the old settings stay in force, and the old file.
    """
    server = serve("apps.pid:app", config="pidfile = 'old.pid'\n")
    server.get()
    other = serve("apps.pid:app", f"--pid={server.directory}/new.pid")
    other.get()
    before = server.workers()
    server.config_path.write_text("pidfile = 'new.pid'\nworkers = 3\n")
    server.signal(signal.SIGHUP)
    server.wait_for_log(f"reload refused.*new.pid belongs to .* pid {other.pid}")
    server.wait_for_log(r"gen=2 pid=\d+ exited")

    assert before == server.workers()
    assert (server.directory / "old.pid").read_text() == f"{server.pid}\n"


def test_a_mended_application_is_reloaded(serve: Serve, tmp_path: Path) -> None:
    """
    After a reload that was refused the next one may succeed.
    """
    server = serve_site(serve, tmp_path)
    server.expect("Traceback")
    server.get()
    write_app(server.directory, "1 / 0\n")
    server.signal(signal.SIGHUP)
    server.wait_for_log("reload refused")
    write_app(server.directory, GOOD.replace("str(os.getpid())", "'mended'"))
    server.signal(signal.SIGHUP)
    server.wait_for_log(r"gen=2 pid=\d+ serves")
    server.wait_for_log(r"gen=1 pid=\d+ exited")

    assert "mended" == server.get().text


# --- Boot ----------------------------------------------------------------------------


def test_an_application_that_fails_ends_the_start_with_3(
    serve: Serve, tmp_path: Path
) -> None:
    """
    If the first workers can't import the application, the command fails with 3.
    """
    directory = tmp_path / "server-0"
    directory.mkdir()
    write_app(directory, "1 / 0\n")
    server = serve("site_app:app", "--workers=2")
    server.expect("Traceback")

    assert 3 == server.wait_for_exit()
    assert "ZeroDivisionError" in server.log


def test_an_application_that_is_not_there_ends_the_start_with_4(serve: Serve) -> None:
    """
    If the module has no such attribute, the command fails with 4.
    """
    server = serve("apps.pid:no_such_app")

    assert 4 == server.wait_for_exit()
    assert "no_such_app" in server.log


def test_an_asgi_application_is_refused_by_a_worker_for_wsgi(
    serve: Serve, tmp_path: Path
) -> None:
    """
    It would fail on every request; the start says what it is, and ends with 4.
    """
    directory = tmp_path / "server-0"
    directory.mkdir()
    write_app(directory, "async def app(scope, receive, send): pass\n")
    server = serve("site_app:app", "--worker-class=sync")

    assert 4 == server.wait_for_exit()
    assert "can't boot: 'site_app:app' is an ASGI application, which" in server.log
    assert "leave out -k, or use -k asgi" in server.log


def test_an_application_that_kills_its_process_ends_the_start(
    serve: Serve, tmp_path: Path
) -> None:
    """
    First workers that die without a word are tried a few times, not for ever.
    """
    directory = tmp_path / "server-0"
    directory.mkdir()
    write_app(directory, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    server = serve("site_app:app")

    assert 3 == server.wait_for_exit()
    assert server.log.count("killed by SIGSEGV") >= 3


def test_a_crash_in_c_leaves_its_stack_in_the_log(serve: Serve, tmp_path: Path) -> None:
    """
    A worker killed by SIGSEGV shows where: the interpreter wrote it in its last
    moment.
    """
    directory = tmp_path / "server-0"
    directory.mkdir()
    write_app(directory, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    server = serve("site_app:app")
    server.wait_for_exit()

    assert "Segmentation fault" in server.log
    assert "site_app.py" in server.log


def test_a_boot_that_hangs_is_ended_with_its_stack(
    serve: Serve, tmp_path: Path
) -> None:
    """
    boot_timeout bounds the import; the log shows where it hung.
    """
    server = serve_site(serve, tmp_path)
    server.get()
    before = server.workers()
    write_app(server.directory, "import time\ntime.sleep(1000)  # here\n")
    server.config_path.write_text("boot_timeout = 1\n")
    server.signal(signal.SIGHUP)
    server.wait_for_log("did not boot in")
    server.wait_for_log("reload refused")

    assert "time.sleep(1000)  # here" in server.log
    assert before == server.workers()


# --- Life ----------------------------------------------------------------------------


def test_a_killed_worker_is_replaced(serve: Serve) -> None:
    """
    The slot of a worker that somebody killed gets a new one.
    """
    server = serve("apps.pid:app")
    server.expect("killed by SIGKILL, not by us")
    first = int(server.get().text)
    os.kill(first, signal.SIGKILL)
    server.wait_for_log(f"worker 0 gen=1 pid={first} killed by SIGKILL")

    assert first != int(server.get().text)


def test_a_killed_worker_takes_nobody_along(serve: Serve) -> None:
    """
    Connections that wait in the kernel's queue survive the death of a worker.
    """
    server = serve("apps.slow:app")
    server.expect("killed by SIGKILL, not by us")
    clients = [server.begin("/?50")]
    for _ in range(10):
        client = http.client.HTTPConnection(*server.address, timeout=LIMIT)
        client.request("GET", "/")
        clients.append(client)
    os.kill(server.workers()[0], signal.SIGKILL)
    statuses = [client.getresponse().status for client in clients[1:]]
    for client in clients:
        client.close()

    assert [200] * 10 == statuses


def test_a_crash_loop_backs_off(serve: Serve, tmp_path: Path) -> None:
    """
    A slot that loses its workers again and again waits longer each time.
    """
    server = serve_site(serve, tmp_path, "--workers=2")
    server.get()
    server.wait_for_log(r"gen=1 pid=\d+ serves", times=2)
    write_app(server.directory, "import os\nos._exit(7)\n")
    os.kill(server.workers()[0], signal.SIGTERM)
    server.wait_for_log(r"lost 3 workers in a row; the next one comes in 1 s")

    assert 200 == server.get().status


def test_an_application_that_breaks_later_does_not_stop_the_server(
    serve: Serve, tmp_path: Path
) -> None:
    """
    A replacement that can't boot, long after the start, harms no healthy worker.
    """
    server = serve_site(serve, tmp_path, "--workers=2")
    server.expect("Traceback")
    server.get()
    server.wait_for_log(r"gen=1 pid=\d+ serves", times=2)
    one, other = server.workers()
    write_app(server.directory, "1 / 0\n")
    os.kill(one, signal.SIGTERM)
    server.wait_for_log("can't boot", times=2)
    still = other in server.workers()
    write_app(server.directory, GOOD)
    server.wait_for_log(r"gen=1 pid=\d+ serves", times=3)

    assert still
    assert 200 == server.get().status


def test_a_failed_fork_is_survived(serve: Serve) -> None:
    """
    Without a descriptor for another worker the others serve on; later there is one.
    """
    server = serve("apps.pid:app")
    server.get()
    limit = resource.RLIMIT_NOFILE
    used = len(os.listdir(f"/proc/{server.pid}/fd"))
    before = resource.prlimit(server.pid, limit, (used, used + 1000))
    server.signal(signal.SIGTTIN)
    server.wait_for_log("can't fork worker 1: .*Too many open files", times=2)
    served = server.get().status
    resource.prlimit(server.pid, limit, (used + 100, used + 1000))
    server.wait_for_log(r"worker 1 gen=1 pid=\d+ serves")

    assert 200 == served
    assert before[0] > used


def test_workers_of_a_killed_master_finish_and_leave(serve: Serve) -> None:
    """
    When the master is killed, a request that is under way still gets its response.
    """
    server = serve("apps.slow:app", "--workers=2")
    client = server.begin("/?1")
    server.signal(signal.SIGKILL)

    assert 200 == client.getresponse().status
    server.process.wait()
    server.wait_until_all_are_gone()
    client.close()


def test_a_killed_master_cuts_no_response(serve: Serve) -> None:
    """
    When the master is killed under load, every connection that was accepted is
    answered, whole; who comes later is refused, or was still in the kernel's queue.
    """
    server = serve("apps.pid:app", "--workers=2", bind="127.0.0.1:0")
    server.get()
    with Load(server.address) as load:
        load.wait_for_requests(100)
        server.signal(signal.SIGKILL)
        server.process.wait()
        server.wait_until_all_are_gone()
        wait_until(lambda: load.losses, "somebody is refused")
    kinds = {loss.split(":")[0] for loss in load.losses}

    assert kinds <= {"ConnectionRefusedError", "ConnectionResetError"}


def test_an_address_is_free_at_once_when_the_master_was_killed(serve: Serve) -> None:
    """
    Workers without a master close their listeners also inside a request.

    So a new master need not wait for them.
    """
    server = serve("apps.slow:app", "--workers=1", bind="127.0.0.1:0")
    client = server.begin("/?3")
    host, port = server.address
    server.signal(signal.SIGKILL)
    server.process.wait()
    other = serve("apps.pid:app", bind=f"{host}:{port}")

    assert 200 == other.get().status
    assert 200 == client.getresponse().status
    client.close()


def test_a_silent_worker_is_killed_with_stack_and_request(serve: Serve) -> None:
    """
    A worker over timeout: one line with its silence, request and age, and the stack.
    """
    server = serve("apps.slow:app", "--timeout=1")
    server.expect("killed by SIG")
    client = server.begin("/path?50")
    server.wait_for_log(
        r"worker 0 gen=1 pid=\d+ silent for \d+\.\d s \(timeout=1\), killing;"
        r" in the application: GET /path\?50 for \d+\.\d s"
    )
    server.wait_for_log(r"gen=1 pid=\d+ serves", times=2)
    server.wait_for_log(
        r"\[INFO\] worker 0 gen=1 pid=\d+ ended after ABRT: silent for \d+\.\d s"
    )
    client.close()

    assert 'time.sleep(float(environ["QUERY_STRING"]' in server.log


def test_a_replacement_that_is_there_is_not_announced(serve: Serve) -> None:
    """
    Who is killed for its timeout has a replacement already: nobody waits for one.
    """
    server = serve("apps.slow:app", "--timeout=3")
    server.expect("killed by SIG")
    for number in (1, 2):
        client = server.begin("/?50")
        server.wait_for_log("silent for", times=number)
        server.wait_for_log(r"gen=1 pid=\d+ serves", times=number + 1)
        client.close()
    server.stop()

    assert "the next one" not in server.log


def test_an_idle_worker_is_not_silent(serve: Serve) -> None:
    """
    Nobody asks for longer than `timeout`, and the worker lives on.
    """
    server = serve("apps.pid:app", "--timeout=3")
    first = server.get().text
    until = time.monotonic() + 6.5
    wait_until(lambda: time.monotonic() > until, "two timeouts pass")

    assert first == server.get().text
    assert "silent" not in server.log


def test_a_worker_that_is_deaf_is_killed_with_its_stack(serve: Serve) -> None:
    """
    If no thread of the worker gets to run, the interpreter writes the stack from C.
    """
    server = serve("apps.stuck:app", "--timeout=1")
    server.expect("killed by SIG")
    client = server.begin("/")
    server.wait_for_log("silent for", times=1)
    server.wait_for_log(r"gen=1 pid=\d+ serves", times=2)
    client.close()

    assert "stuck.py" in server.log


def test_a_stopped_worker_is_killed(serve: Serve) -> None:
    """
    A worker that was stopped by a signal hears nothing, and is killed all the same.
    """
    server = serve("apps.pid:app", "--timeout=1")
    server.expect("SIGKILL")
    first = int(server.get().text)
    os.kill(first, signal.SIGSTOP)
    server.wait_for_log(f"pid={first} killed by SIGKILL")

    assert first != int(server.get().text)


def test_a_stopped_master_kills_nobody_when_it_goes_on(serve: Serve) -> None:
    """
    If all processes were stopped for longer than timeout, nobody is late for it.
    """
    server = serve("apps.pid:app", "--timeout=2")
    first = int(server.get().text)
    for pid in (server.pid, first):
        os.kill(pid, signal.SIGSTOP)
    os.waitpid(server.pid, os.WUNTRACED)
    time.sleep(4)  # a length of time is what this is about
    os.kill(server.pid, signal.SIGCONT)
    server.wait_for_log("nobody is late")
    os.kill(first, signal.SIGCONT)
    server.get()

    assert [first] == server.workers()


def test_max_requests_replaces_workers_and_loses_nothing(serve: Serve) -> None:
    """
    A worker that has answered max_requests serves until its replacement is ready.
    """
    server = serve("apps.pid:app", "--workers=2", "--max-requests=50")
    with Load(server.address) as load:
        server.wait_for_log("retires: max_requests", times=4)

    assert [] == load.losses
    assert len(load.texts) >= 4


def test_a_request_beyond_graceful_timeout_is_ended(serve: Serve) -> None:
    """
    A stop is over after graceful_timeout; the log says what did not finish.
    """
    server = serve("apps.slow:app", "--graceful-timeout=1")
    server.expect("killed by SIG")
    client = server.begin("/?50")
    server.signal(signal.SIGTERM)

    assert 0 == server.wait_for_exit()
    assert "did not finish in" in server.log
    assert "GET /?50" in server.log
    client.close()


def test_a_signal_ends_a_boot(serve: Serve, tmp_path: Path) -> None:
    """
    TERM does not wait for an application that is being imported.
    """
    directory = tmp_path / "server-0"
    directory.mkdir()
    write_app(
        directory, "import pathlib, time\npathlib.Path('x').touch()\ntime.sleep(50)"
    )
    server = serve("site_app:app")
    wait_until((directory / "x").exists, "the import has begun")
    server.signal(signal.SIGTERM)

    assert 0 == server.wait_for_exit()
