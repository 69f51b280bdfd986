"""The threads worker, in real processes: who waits for whom, and who is stuck."""

import re
import signal
import socket
from http.client import HTTPConnection
from pathlib import Path

import pytest
from conftest import Serve
from running import LIMIT, Load, Server, answer_of, wait_until
from websockets.sync.client import connect

from tiamat.workers import load_worker_class
from tiamat.workers.threads import ThreadsWorker

FLAGS = ("-k", "threads", "--threads=4")

FLASK_SOCK = """
from flask import Flask
from flask_sock import Sock

app = Flask(__name__)
sock = Sock(app)


@sock.route("/echo")
def echo(ws):
    while True:
        ws.send(ws.receive())


@app.get("/")
def plain():
    return "plain"
"""

SOCKET_IO = """
from flask import Flask
from flask_socketio import SocketIO

app = Flask(__name__)
io = SocketIO(app, async_mode="threading", cors_allowed_origins="*")


@io.on("message")
def echo(data):
    io.send(data)


@app.get("/")
def plain():
    return "plain"
"""

DJANGO = """
import atexit
import gc
import os
import threading
import time

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.db.backends.signals import connection_created
from django.http import HttpResponse
from django.urls import path

made = []
connection_created.connect(lambda **_: made.append(1), weak=False)


def open_databases():
    found = 0
    for number in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{number}").endswith("/db.sqlite3")
        except FileNotFoundError:
            pass
    return found


def count_at_exit():
    gc.collect()
    with open("left", "w") as file:
        file.write(f"{len(made)} {open_databases()}")


atexit.register(count_at_exit)


def look(request):
    with connection.cursor() as cursor:
        cursor.execute("select 1")
        time.sleep(0.005)
    return HttpResponse(f"{len(made)} {open_databases()}")


settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="x",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "db.sqlite3",
            "CONN_MAX_AGE": None,
        }
    },
)
urlpatterns = [path("", look)]
app = get_wsgi_application()
"""


def site(serve: Serve, tmp_path: Path, source: str, *flags: str) -> Server:
    """Serve the application in *source*, with threads."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "site_app.py").write_text(source)
    return serve("site_app:app", *FLAGS, *flags)


def waiting(server: Server, path: str) -> HTTPConnection:
    """Begin a request and leave it."""
    connection = HTTPConnection(*server.address, timeout=LIMIT)
    connection.request("GET", path)
    return connection


def test_threads_is_the_name_of_the_threads_worker() -> None:
    """
    And gunicorn's name for the same.
    """
    assert ThreadsWorker is load_worker_class("threads")
    assert ThreadsWorker is load_worker_class("gthread")


def test_as_many_requests_run_as_there_are_threads(serve: Serve) -> None:
    """
    Each of four waits for the three others, and all are answered.
    """
    server = serve("apps.meeting:app", *FLAGS)
    clients = [waiting(server, "/") for _ in range(4)]
    texts = [answer_of(client).text for client in clients]
    for client in clients:
        client.close()

    assert ["4 met"] * 4 == texts


def test_a_request_may_ask_its_own_server(serve: Serve) -> None:
    """
    The loop goes on while the only leader is in the application.
    """
    server = serve("apps.asks_itself:app", *FLAGS)

    assert "asked: inner" == server.get("/outer").text


def test_a_stuck_thread_is_told_and_the_others_serve(serve: Serve) -> None:
    """
    Once, with method, path, age, thread and stack; nobody else notices.
    """
    server = serve("apps.slow:app", *FLAGS, "--timeout=1")
    stuck = server.begin("/stuck?4")
    with Load(server.address) as load:
        server.wait_for_log(
            r"worker 0 gen=1 pid=\d+: GET /stuck for \d\.\d s in worker-thread-\d"
        )
        load.wait_for_requests()
    answered = answer_of(stuck).status
    stuck.close()

    assert [] == load.losses
    assert (200, 1) == (answered, len(re.findall(r"GET /stuck for", server.log)))
    assert "time.sleep(float(" in server.log


def test_beyond_request_timeout_the_worker_is_replaced(serve: Serve) -> None:
    """
    The worker with the stuck thread goes; no other request is lost.
    """
    server = serve(
        *("apps.slow:app", *FLAGS, "--request-timeout=0.5", "--graceful-timeout=1")
    )
    stuck = server.begin("/stuck?300")
    before = server.workers()
    with Load(server.address) as load:
        server.wait_for_log(r"retires: request_timeout")
        server.wait_for_log(r"left behind at the end: GET /stuck")
        wait_until(lambda: set(server.workers()).isdisjoint(before), "another serves")
        load.wait_for_requests()
    stuck.close()

    assert [] == load.losses


def test_a_stop_does_not_wait_for_a_stuck_thread(serve: Serve) -> None:
    """
    TERM ends within graceful_timeout; what the application does at exit is done.
    """
    server = serve("apps.at_exit:app", *FLAGS, "--graceful-timeout=0.5")
    stuck = server.begin("/?300")
    status = server.stop()
    stuck.close()

    assert 0 == status
    assert (server.directory / "exited").exists()
    assert "SIGKILL" not in server.log


def test_a_worker_of_which_nothing_moves_is_killed(serve: Serve) -> None:
    """
    All threads are stuck and requests wait: the worker is silent, then replaced.
    """
    server = serve("apps.slow:app", *FLAGS, "--timeout=1", "--graceful-timeout=1")
    server.expect("SIGKILL")
    before = server.workers()
    stuck = [waiting(server, "/?300") for _ in range(6)]
    server.wait_for_log(r"is silent|no heartbeat|silent for")
    wait_until(lambda: set(server.workers()).isdisjoint(before), "another serves")
    answer = server.get()
    for connection in stuck:
        connection.close()

    assert 200 == answer.status


def test_slow_clients_hold_no_thread(serve: Serve) -> None:
    """
    Fifty uploads that never end and fifty readers that don't read, on four threads.
    """
    server = serve("apps.large:app", *FLAGS)
    slow = []
    head = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nx"
    for request in [head] * 50 + [b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n"] * 50:
        sock = socket.create_connection(server.address, timeout=LIMIT)
        sock.sendall(request)
        slow.append(sock)
    with Load(server.address) as load:
        load.wait_for_requests(50)
    for sock in slow:
        sock.close()

    assert [] == load.losses


@pytest.mark.parametrize("flags", [("--workers=2",), ("--workers=1",)])
def test_reload_and_stop_lose_nothing(serve: Serve, flags: tuple[str, ...]) -> None:
    """
    HUP, then TERM, under load that keeps all threads busy.
    """
    server = serve("apps.slow:app", *FLAGS, *flags)
    with Load(server.address, "/?0.01", clients=8) as load:
        load.wait_for_requests()
        server.signal(signal.SIGHUP)
        server.wait_for_log(r"gen=2 pid=\d+ serves")
        server.wait_for_log(r"gen=1 pid=\d+ exited")
        load.wait_for_requests()
    begun = server.begin("/?0.5")
    server.signal(signal.SIGTERM)
    last = answer_of(begun).status
    begun.close()
    status = server.wait_for_exit()

    assert ([], 200, 0) == (load.losses, last, status)


def test_database_connections_are_as_many_as_threads(
    serve: Serve, tmp_path: Path
) -> None:
    """
    Django keeps one for each thread, however many clients there are, and all are
    closed when the worker exits.
    """
    server = site(serve, tmp_path, DJANGO)
    with Load(server.address, clients=16) as load:
        load.wait_for_requests(200)
    server.stop()
    made, left = (server.directory / "left").read_text().split()
    counts = [tuple(map(int, text.split())) for text in load.texts]

    assert [] == load.losses
    assert max(counts) <= (4, 4)
    assert 1 <= max(count for _, count in counts) <= int(made) <= 4
    assert "0" == left


def test_what_a_thread_holds_is_given_back_at_exit(serve: Serve) -> None:
    """
    Threads end before the process does, so thread-locals are closed.
    """
    server = serve("apps.thread_local:app", *FLAGS)
    server.get()
    server.stop()

    assert (server.directory / "closed").exists()


@pytest.mark.parametrize("worker", ["sync", "threads", "gevent"])
def test_flask_sock_speaks_websocket(serve: Serve, tmp_path: Path, worker: str) -> None:
    """
    Through ``gunicorn.socket``; the connection is the application's until it ends.
    """
    server = site(serve, tmp_path, FLASK_SOCK, "-k", worker)
    host, port = server.address
    with connect(f"ws://{host}:{port}/echo", open_timeout=LIMIT) as client:
        client.send("one")
        first = client.recv(LIMIT)
        if worker != "sync":
            assert "plain" == server.get().text
        client.send("two")
        second = client.recv(LIMIT)

    assert ("one", "two", "plain") == (first, second, server.get().text)
    assert "Traceback" not in server.log


def test_flask_socketio_speaks_websocket(serve: Serve, tmp_path: Path) -> None:
    """
    Engine.IO over a WebSocket: open, connect, an event and its echo.
    """
    server = site(serve, tmp_path, SOCKET_IO)
    host, port = server.address
    url = f"ws://{host}:{port}/socket.io/?EIO=4&transport=websocket"
    with connect(url, open_timeout=LIMIT) as client:
        opened = client.recv(LIMIT)
        client.send("40")
        connected = client.recv(LIMIT)
        client.send('42["message","hello"]')
        echoed = client.recv(LIMIT)

    assert ("0", "40") == (str(opened)[:1], str(connected)[:2])
    assert '42["message","hello"]' == echoed
    assert "plain" == server.get().text


def test_a_crash_names_the_request_of_its_thread(serve: Serve) -> None:
    """
    Though it is that request's first moment.
    """
    server = serve("apps.troubled:app", *FLAGS)
    with pytest.raises(OSError, match=r".*"):
        server.get("/crash")
    server.wait_for_log(r"killed by SIGSEGV; .*in the application: GET /crash for 0")
