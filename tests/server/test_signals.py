"""What the master does on each signal, with clients under load."""

import http.client
import os
import signal
import socket
from pathlib import Path

import pytest
from conftest import Serve
from running import LIMIT, Load, wait_until


def test_term_finishes_and_ends(serve: Serve) -> None:
    """
    TERM ends the server with status 0, and every worker exits by itself.
    """
    server = serve("apps.pid:app", "--workers=2")
    server.wait_for_log(r"gen=1 pid=\d+ serves", times=2)
    server.signal(signal.SIGTERM)

    assert 0 == server.wait_for_exit()
    assert 2 == server.log.count(" exited")


def test_term_lets_a_request_finish(serve: Serve) -> None:
    """
    A request that is in the application when TERM comes gets its response.
    """
    server = serve("apps.slow:app", bind="127.0.0.1:0")
    client = server.begin("/?0.5")
    server.signal(signal.SIGTERM)
    server.wait_for_log("TERM")

    assert 200 == client.getresponse().status
    assert 0 == server.wait_for_exit()
    client.close()


def test_term_serves_the_queue_of_the_kernel(serve: Serve) -> None:
    """
    Connections that the kernel has accepted before TERM are served, not reset.
    """
    server = serve("apps.slow:app", bind="127.0.0.1:0")
    clients = [server.begin("/?1")]
    for _ in range(29):
        client = http.client.HTTPConnection(*server.address, timeout=60)
        client.request("GET", "/")
        clients.append(client)
    server.signal(signal.SIGTERM)
    statuses = [client.getresponse().status for client in clients]
    for client in clients:
        client.close()

    assert [200] * 30 == statuses
    assert 0 == server.wait_for_exit()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_queue_of_an_inherited_listener_is_left_alone(
    serve: Serve, number: int
) -> None:
    """
    It goes on after us: systemd, or who else holds it, serves it with the next start.
    """
    server = serve("apps.slow:app", "--bind=127.0.0.1:0")
    first = server.begin("/?1")
    with socket.create_connection(server.address, LIMIT) as second:
        second.sendall(b"GET / HTTP/1.0\r\n\r\n")
        server.signal(number)
        status = first.getresponse().status
        server.wait_for_exit()
        first.close()
        assert server.listener is not None
        connection = server.listener.accept()[0]
        with connection:
            request = connection.recv(1000)

    assert 200 == status
    assert b"GET / HTTP/1.0\r\n\r\n" == request


@pytest.mark.parametrize("workers", [1, 3])
def test_term_under_load_resets_nobody(serve: Serve, workers: int) -> None:
    """
    Who comes after TERM is refused; who came before is served, whole.
    """
    server = serve("apps.pid:app", f"--workers={workers}", bind="127.0.0.1:0")
    server.get()
    with Load(server.address, clients=8) as load:
        load.wait_for_requests(200)
        server.signal(signal.SIGTERM)
        server.process.wait()
        wait_until(lambda: load.losses, "somebody is refused")

    assert {"ConnectionRefusedError"} == {loss.split(":")[0] for loss in load.losses}


def test_int_ends_at_once(serve: Serve) -> None:
    """
    INT does not wait for requests.
    """
    server = serve("apps.slow:app", "--workers=2")
    client = server.begin("/?50")
    server.signal(signal.SIGINT)

    assert 0 == server.wait_for_exit()
    client.close()
    assert "stopping at once" in server.log


def test_int_waits_for_nobody(serve: Serve) -> None:
    """
    A worker that does not hear INT is killed, and the log says why.
    """
    server = serve("apps.pid:app")
    server.expect("SIGKILL")
    pid = int(server.get().text)
    os.kill(pid, signal.SIGSTOP)
    server.signal(signal.SIGINT)

    assert 0 == server.wait_for_exit()
    assert f"pid={pid} killed by SIGKILL: did not leave within 2 s" in server.log


def test_quit_calls_worker_int(serve: Serve) -> None:
    """
    QUIT ends workers at once, after their hook worker_int.
    """
    hook = "def worker_int(worker): worker.log.info('hook %s', worker)\n"
    server = serve("apps.pid:app", config=hook)
    server.get()
    server.signal(signal.SIGQUIT)

    assert 0 == server.wait_for_exit()
    assert "hook worker 0 gen=1" in server.log


def test_hup_replaces_every_worker_and_loses_nothing(serve: Serve) -> None:
    """
    HUP replaces workers one by one, each only when its replacement serves.
    """
    server = serve("apps.pid:app", "--workers=2")
    server.wait_for_log(r"gen=1 pid=\d+ serves", times=2)
    before = set(server.workers())
    with Load(server.address) as load:
        server.signal(signal.SIGHUP)
        server.wait_for_log(r"gen=1 pid=\d+ exited", times=2)
        load.wait_for_requests()
    after = set(server.workers())

    assert [] == load.losses
    assert 2 == len(after)
    assert not before & after


def test_hup_reads_the_settings_again(serve: Serve) -> None:
    """
    HUP takes over a new number of workers from the configuration file.
    """
    server = serve("apps.pid:app", config="workers = 1\n")
    server.get()
    server.config_path.write_text("workers = 3\n")
    server.signal(signal.SIGHUP)
    server.wait_for_log(r"worker [012] gen=2 pid=\d+ serves", times=3)
    server.wait_for_log(r"gen=1 pid=\d+ exited")

    assert 3 == len(server.workers())


def test_hup_logs_what_is_strange_in_the_settings(serve: Serve) -> None:
    """
    The warnings that a start prints are in the log after a reload.
    """
    server = serve("apps.pid:app", config="workers = 1\n")
    server.get()
    server.config_path.write_text("workers = 1\nkeep_alive = 5\n")
    server.signal(signal.SIGHUP)
    server.wait_for_log(r"\[WARNING\] .*keep_alive")


BOOTS_WHEN_TOLD = """
import os, time
def post_fork(server, worker):
    open("begun", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
"""


def test_many_hups_are_few_reloads(serve: Serve) -> None:
    """
    HUPs that come while a reload is under way are one more reload.
    """
    server = serve("apps.pid:app", config=BOOTS_WHEN_TOLD)
    (server.directory / "go").touch()
    server.get()
    (server.directory / "go").unlink()
    (server.directory / "begun").unlink()
    with Load(server.address) as load:
        server.signal(signal.SIGHUP)
        wait_until((server.directory / "begun").exists, "a reload is under way")
        for _ in range(20):
            server.signal(signal.SIGHUP)
        server.signal(signal.SIGUSR1)
        server.wait_for_log("USR1: logs reopened")  # so the others were heard, too
        (server.directory / "go").touch()
        server.wait_for_log(r"worker 0 gen=3 pid=\d+ serves")
        server.wait_for_log(r"worker 0 gen=2 pid=\d+ exited")
        load.wait_for_requests()
    server.stop()

    assert [] == load.losses
    assert "gen=4" not in server.log


def test_ttin_adds_and_ttou_removes_a_worker(serve: Serve) -> None:
    """
    TTIN and TTOU change the number of workers by one, but not below one.
    """
    server = serve("apps.pid:app")
    server.get()
    with Load(server.address) as load:
        server.signal(signal.SIGTTIN)
        server.wait_for_log(r"worker 1 gen=1 pid=\d+ serves")
        server.wait_for_log("TTIN: 2 workers from now on")
        server.signal(signal.SIGTTOU)
        server.wait_for_log(r"worker 1 gen=1 pid=\d+ exited")
        server.wait_for_log("TTOU: 1 worker from now on")
        server.signal(signal.SIGTTOU)
        load.wait_for_requests()

    assert [] == load.losses
    assert 1 == len(server.workers())


def test_winch_removes_all_workers_and_ttin_brings_them_back(serve: Serve) -> None:
    """
    WINCH leaves the master alone with its listeners; requests wait for TTIN.
    """
    server = serve("apps.pid:app", "--workers=2")
    server.wait_for_log(r"gen=1 pid=\d+ serves", times=2)
    server.signal(signal.SIGWINCH)
    server.wait_for_log(r"gen=1 pid=\d+ exited", times=2)
    none = server.workers()
    server.signal(signal.SIGTTIN)

    assert [] == none
    assert 200 == server.get().status
    assert 1 == len(server.workers())


def test_hup_brings_all_workers_back(serve: Serve) -> None:
    """
    HUP after WINCH is back to the settings.
    """
    server = serve("apps.pid:app", "--workers=2")
    server.wait_for_log(r"gen=1 pid=\d+ serves", times=2)
    server.signal(signal.SIGWINCH)
    server.wait_for_log(r"gen=1 pid=\d+ exited", times=2)
    server.signal(signal.SIGHUP)
    server.wait_for_log(r"gen=2 pid=\d+ serves", times=2)

    assert 2 == len(server.workers())


def test_usr1_reopens_the_logs(serve: Serve) -> None:
    """
    After a rotation and USR1, master and workers write to the new file.
    """
    hook = "def worker_int(worker): worker.log.info('%s says so', worker)\n"
    server = serve("apps.pid:app", config=hook)
    server.get()
    os.rename(server.log_path, server.directory / "old.log")
    server.signal(signal.SIGUSR1)
    server.wait_for_log("logs reopened")
    server.get()
    server.signal(signal.SIGINT)
    server.wait_for_exit()

    assert "worker 0 gen=1" in server.log
    assert "says so" in server.log


def test_hup_changes_addresses(serve: Serve, tmp_path: Path) -> None:
    """
    HUP binds new addresses before anything else, and closes those that are gone.
    """
    first, second = tmp_path / "1", tmp_path / "2"
    config = "bind = ['unix:{}']\n"
    server = serve("apps.pid:app", config=config.format(first), bind="none")
    server.wait_for_log("serves")
    server.config_path.write_text(config.format(second))
    server.signal(signal.SIGHUP)
    server.wait_for_log(r"gen=1 pid=\d+ exited")

    assert second.is_socket()
    assert not first.exists()


@pytest.mark.parametrize("workers", [1, 3])
def test_hup_closes_an_address_that_is_gone(serve: Serve, workers: int) -> None:
    """
    Nobody holds it after the reload: who comes is refused, and does not hang.
    """
    config = f"workers = {workers}\nbind = ['{{}}:0']\n"
    server = serve("apps.pid:app", config=config.format("127.0.0.1"), bind="none")
    address = server.address
    server.wait_for_log("serves", times=workers)
    server.config_path.write_text(config.format("localhost"))
    server.signal(signal.SIGHUP)
    server.wait_for_log(r"gen=1 pid=\d+ exited", times=workers)
    server.wait_for_log(rf"no longer listening on http://127.0.0.1:{address[1]}\n")
    server.wait_for_log(r"\] listening on http://", times=2)

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, LIMIT)


def test_hup_brings_an_address_back(serve: Serve, tmp_path: Path) -> None:
    """
    An address that a reload has closed is free for the next one.
    """
    config = "bind = ['unix:@{}/{}']\n"
    server = serve("apps.pid:app", config=config.format(tmp_path, 1), bind="none")
    server.wait_for_log("serves")
    for generation, name in ((2, "2"), (3, "1"), (4, "2")):
        server.config_path.write_text(config.format(tmp_path, name))
        server.signal(signal.SIGHUP)
        server.wait_for_log(rf"gen={generation} pid=\d+ serves")
        server.wait_for_log(rf"gen={generation - 1} pid=\d+ exited")


def test_hup_with_an_address_that_is_taken_changes_nothing(
    serve: Serve, tmp_path: Path
) -> None:
    """
    If a new address can't be had, the reload is refused.
    """
    path = tmp_path / "1"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config = f"bind = ['unix:{path}'{{}}]\n"
        server = serve("apps.pid:app", config=config.format(""), bind="none")
        server.wait_for_log("serves")
        before = server.workers()
        server.config_path.write_text(config.format(f", '127.0.0.1:{port}'"))
        server.signal(signal.SIGHUP)
        server.wait_for_log("reload refused.*in use by process")

    assert before == server.workers()
    assert path.is_socket()


def test_without_room_for_one_more_workers_are_replaced_in_place(serve: Serve) -> None:
    """
    max_surge = 0 and max_unavailable = 1: there are never more workers than usual.
    """
    config = """
max_surge = 0
max_unavailable = 1
def pre_fork(server, worker): server.log.info("beside %d", len(server.WORKERS))
"""
    server = serve("apps.pid:app", "--workers=2", config=config)
    server.get()
    with Load(server.address) as load:
        server.signal(signal.SIGHUP)
        server.wait_for_log(r"gen=2 pid=\d+ serves", times=2)
        load.wait_for_requests()

    assert [] == load.losses
    assert "beside 2" not in server.log
