"""Behind real proxies: who has asked, whom and how is right, and nothing is lost."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Serve
from kinds import KINDS
from proxying import CLIENT, HOST, NGINX_HTTP, NGINX_UWSGI, Front, ask, ask_often

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
    """

    def __init__(
        self,
        begin: Callable[[Front], object],
        *flags: str,
        tls: bool = False,
        scheme: str = "http",
    ) -> None:
        self.begin = begin
        self.flags = flags
        self.tls = tls
        self.scheme = scheme


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
}  # fmt: skip

SOME = [
    ("nginx", "sync"),
    ("nginx-uwsgi", "threads"),
    ("nginx-uwsgi", "asgi"),
    ("haproxy", "gevent"),
    ("haproxy-v1", "sync"),
    ("haproxy-v2", "h11"),
]
ALL = [(way, kind) for way in WAYS for kind in KINDS]


@pytest.fixture
def front(serve: Serve, tmp_path: Path) -> Iterator[Callable[[str, str], Front]]:
    """Put a proxy in front of a server: ``front("nginx", "sync")``."""
    fronts: list[Front] = []

    def start(name: str, kind: str) -> Front:
        way = WAYS[name]
        app, *flags = KINDS[kind]
        server = serve(f"apps.ends:{app}", *flags, *way.flags, KEPT)
        made = Front(tmp_path, server.address, tls=way.tls)
        fronts.append(made)
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
    if name not in ("haproxy-v1", "haproxy-v2"):
        assert HOST == said["host"]
    expected = "/a b" if name == "nginx-uwsgi" else "/x/../a b"
    assert (expected, "q=1") == (said["path"], said["query"])
    assert [] == ask_often(front, count)
