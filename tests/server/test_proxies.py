"""Behind real proxies: who has asked, whom and how is right, and nothing is lost."""

import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Serve
from drivers.loops import read_all
from kinds import KINDS
from protocol.packets import packed
from proxying import CLIENT, HOST, NGINX_HTTP, NGINX_UWSGI, Front, ask, ask_often
from running import LIMIT

KEPT = "--keep-alive=75"
"""Longer than nginx keeps an idle connection, so that it is the one that closes."""


class Way:
    """
    One way for a proxy to pass on requests.

    Args:
        begin: Starts the proxy.
        flags: What the server needs for it.
        tls: The client comes by TLS, and the application has to hear so.
        scheme: What it hears.
        through: TLS is passed on as it is: the server ends it.
    """

    def __init__(
        self,
        begin: Callable[[Front], object],
        *flags: str,
        tls: bool = False,
        scheme: str = "http",
        through: bool = False,
    ) -> None:
        self.begin = begin
        self.flags = flags
        self.tls = tls
        self.scheme = scheme
        self.through = through


WAYS = {
    "nginx": Way(
        lambda front: front.nginx(NGINX_HTTP), "--forwarded-headers=x-forwarded",
        tls=True, scheme="https",
    ),
    "nginx-uwsgi": Way(
        lambda front: front.nginx(NGINX_UWSGI), "--protocol=uwsgi",
        tls=True, scheme="https",
    ),
    "haproxy": Way(
        lambda front: front.haproxy(), "--forwarded-headers=x-forwarded",
        tls=True, scheme="https",
    ),
    "haproxy-v1": Way(
        lambda front: front.haproxy("send-proxy"), "--proxy-protocol=v1"
    ),
    "haproxy-v2": Way(
        lambda front: front.haproxy("send-proxy-v2-ssl"), "--proxy-protocol",
        tls=True, scheme="https",
    ),
    "haproxy-tls": Way(
        lambda front: front.haproxy("send-proxy-v2"), "--proxy-protocol",
        tls=True, scheme="https", through=True,
    ),
}  # fmt: skip

SOME = [
    ("nginx", "sync"),
    ("nginx-uwsgi", "threads"),
    ("nginx-uwsgi", "asgi"),
    ("haproxy", "gevent"),
    ("haproxy-v1", "sync"),
    ("haproxy-v2", "h11"),
    ("haproxy-tls", "threads"),
]
ALL = [(way, kind) for way in WAYS for kind in KINDS]


@pytest.fixture
def front(serve: Serve, tmp_path: Path) -> Iterator[Callable[[str, str], Front]]:
    """Put a proxy in front of a server: ``front("nginx", "sync")``."""
    fronts: list[Front] = []

    def start(name: str, kind: str) -> Front:
        way = WAYS[name]
        app, *flags = KINDS[kind]
        made = Front(tmp_path, tls=way.tls, through=way.through)
        fronts.append(made)
        if way.through:
            flags += [f"--certfile={made.pem}", f"--keyfile={made.pem}"]
        server = serve(f"apps.ends:{app}", *flags, *way.flags, KEPT)
        made.upstream = "{}:{}".format(*server.address)
        way.begin(made)
        return made

    yield start
    for made in fronts:
        made.close()


@pytest.mark.parametrize(("name", "kind"), SOME)
def test_behind_a_proxy_both_ends_are_right(
    front: Callable[[str, str], Front], name: str, kind: str
) -> None:
    """
    On kept connections, whatever the client writes who would be somebody else.
    """
    check(front(name, kind), name, 80)


@pytest.mark.soak
@pytest.mark.parametrize(("name", "kind"), ALL)
def test_behind_a_proxy_nothing_is_lost(
    front: Callable[[str, str], Front], name: str, kind: str
) -> None:
    """
    Ten thousand requests, and no answer of the proxy's own.
    """
    check(front(name, kind), name, 10_000)


def check(front: Front, name: str, count: int) -> None:
    """Ask once and look at all, then often."""
    connection = front.connect()
    said = ask(connection, "/x/../a%20b?q=1")
    connection.close()

    assert (CLIENT, WAYS[name].scheme) == (said["client"], said["scheme"])
    assert HOST == said["host"]
    expected = "/a b" if name == "nginx-uwsgi" else "/x/../a b"
    assert (expected, "q=1") == (said["path"], said["query"])
    assert [] == ask_often(front, count)


@pytest.mark.parametrize("kind", ["gevent", "asgi"])
def test_a_worker_that_speaks_uwsgi_is_checked_over_http(
    serve: Serve, kind: str
) -> None:
    """
    Its own request is one of HTTP; those of clients are not.
    """
    app, *flags = KINDS[kind]
    server = serve(
        f"apps.ends:{app}", *flags, "--protocol=uwsgi", "--reload-check=/healthz"
    )
    server.wait_for_log(" serves")
    server.signal(signal.SIGHUP)
    server.wait_for_log("gen=2 .* has passed its check")
    with socket.create_connection(server.address, LIMIT) as sock:
        sock.sendall(packed())
        answer = read_all(sock)

    assert b'"client": "192.0.2.7"' in answer


@pytest.mark.parametrize("kind", ["asgi"])
def test_who_is_not_allowed_to_speak_for_clients_is_closed(
    serve: Serve, kind: str
) -> None:
    """
    Without an answer; the log names the setting.
    """
    app, *flags = KINDS[kind]
    server = serve(
        f"apps.ends:{app}",
        *flags,
        "--protocol=uwsgi",
        "--uwsgi-allow-from=192.0.2.0/24",
    )
    with socket.create_connection(server.address, LIMIT) as sock:
        sock.sendall(packed())
        try:
            answer = read_all(sock)
        except ConnectionResetError:
            answer = b""
    server.wait_for_log("this one from 127.0.0.1: it is none of uwsgi_allow_ips")

    assert b"" == answer
