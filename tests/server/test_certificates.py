"""Certificates of servers and of clients: which is shown, asked for, and read again."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from authority import Authority, make_authority, moment, rest, shown
from conftest import Serve
from kinds import KINDS
from running import LIMIT, Server, environment, wait_until
from websockets.sync.client import connect

LAST = b"GET /%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

SOME = pytest.mark.parametrize(
    "kind",
    [
        *("threads", "asgi"),
        *(pytest.param(kind, marks=pytest.mark.soak) for kind in ("sync", "gevent")),
    ],
)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)


def flags(kind: str, *more: str) -> list[str]:
    """Which application, and on which workers."""
    app, *rest = KINDS[kind]
    return [f"apps.secure:{app}", *rest, *more]


def answered(sock: ssl.SSLSocket, path: bytes = b"") -> str:
    """The body of an answer."""
    sock.sendall(LAST % path)
    text = rest(sock).decode()
    return text.partition("\r\n\r\n")[2]


def name_shown(authority: Authority, server: Server, name: str) -> set[str]:
    """For which names the certificate is that who asks for this one gets."""
    with authority.connect(server.address, name=name) as sock:
        return shown(sock)


@pytest.mark.parametrize("kind", ["sync", "asgi"])
def test_each_client_gets_the_certificate_for_the_name_it_asks_for(
    serve: Serve, authority: Authority, kind: str
) -> None:
    """By the names in each; who asks for none or another one gets the first."""
    one = authority.issue("localhost", "127.0.0.1", file="one.pem")
    two = authority.pair("www.example.org", "*.example.org", file="two")
    files = [str(one), tuple(map(str, two))]
    server = serve(*flags(kind), config=f"certfile = {files!r}")
    second = {"www.example.org", "*.example.org"}

    assert {"localhost", "127.0.0.1"} == name_shown(authority, server, "localhost")
    assert second == name_shown(authority, server, "www.example.org")
    assert second == name_shown(authority, server, "other.EXAMPLE.org")
    context = authority.client()
    context.check_hostname = False
    with authority.connect(server.address, context, "a.b.example.org") as sock:
        assert {"localhost", "127.0.0.1"} == shown(sock)


@SOME
def test_a_client_has_to_show_its_certificate(
    serve: Serve, authority: Authority, kind: str
) -> None:
    """One that is vouched for; the application is told whose it is."""
    cert = authority.issue("localhost")
    ours = authority.issue("a@example.org", file="client.pem", common="Smith, Jane")
    elsewhere = authority.directory / "elsewhere"
    elsewhere.mkdir()
    strange = make_authority(elsewhere).issue("a@example.org")
    server = serve(
        *flags(kind, f"--certfile={cert}", f"--ca-certs={authority.path}"),
        "--cert-reqs=required",
    )

    with authority.connect(server.address, authority.client(ours)) as sock:
        told = json.loads(unchunked(answered(sock, b"told")))
    if kind == "asgi":
        tls = told["tls"]
        assert tls["client_cert_name"].startswith("CN=Smith\\, Jane,OU=")
        assert (
            ours.read_text()
            .partition("-----BEGIN CERTIFICATE")[2]
            .startswith(
                tls["client_cert_chain"][0].partition("-----BEGIN CERTIFICATE")[2]
            )
        )
    else:
        assert "SUCCESS" == told["SSL_CLIENT_VERIFY"]
        assert told["SSL_CLIENT_S_DN"].startswith("CN=Smith\\, Jane,OU=")
        assert told["SSL_CLIENT_CERT"] in ours.read_text()
    for context in (authority.client(), authority.client(strange)):
        with pytest.raises(OSError):  # noqa: PT011 - an alert, or a reset behind it
            refused(authority, server, context)


def refused(authority: Authority, server: Server, context: ssl.SSLContext) -> None:
    """In TLS 1.3 a client is content before it hears that the server is not."""
    with authority.connect(server.address, context) as sock:
        answered(sock)


def unchunked(text: str) -> str:
    """A body of one chunk, or one that is not chunked."""
    return text if text.startswith("{") else text.split("\r\n")[1]


def test_a_client_may_show_a_certificate(serve: Serve, authority: Authority) -> None:
    """Without one it is served, too."""
    cert = authority.issue("localhost")
    server = serve(
        *flags("sync", f"--certfile={cert}", f"--ca-certs={authority.path}"),
        "--cert-reqs=optional",
    )
    with authority.connect(server.address) as sock:
        told = json.loads(answered(sock, b"told"))

    assert "NONE" == told["SSL_CLIENT_VERIFY"]


@pytest.mark.parametrize(
    "kind", ["asgi", pytest.param("threads", marks=pytest.mark.soak)]
)
def test_new_certificates_are_read_when_the_files_change(
    serve: Serve, authority: Authority, kind: str
) -> None:
    """A broken one is not taken, and connections that are here stay."""
    cert = authority.issue("localhost", file="used.pem")
    server = serve(*flags(kind, f"--certfile={cert}", "--keep-alive=60"))
    with authority.connect(server.address) as early:
        change(server, authority, cert)
        assert "hello" in answered(early)


def change(server: Server, authority: Authority, cert: Path) -> None:
    """Put a broken one in its place, then a good one."""
    broken = authority.directory / "broken.pem"
    broken.write_text("no certificate")
    broken.rename(cert)
    server.wait_for_log(r"the certificate in use is kept: certfile .*used\.pem: there")
    assert {"localhost"} == name_shown(authority, server, "localhost")

    authority.issue("localhost", "new.example", file="used.pem")
    server.wait_for_log(r"new certificates: .*used\.pem")
    assert {"localhost", "new.example"} == name_shown(authority, server, "localhost")
    server.expect("the certificate in use is kept")


class SecureLoad:
    """
    A client that asks again and again.

    Attributes:
        names: for which certificates were shown.
        losses: what went wrong.
    """

    def __init__(self, authority: Authority, server: Server) -> None:
        self.names: set[str] = set()
        self.losses: list[str] = []
        self._authority, self._server = authority, server

    def ask(self) -> None:
        """One request on a connection of its own."""
        try:
            with self._authority.connect(self._server.address) as sock:
                self.names |= shown(sock)
                assert "hello" in answered(sock)
        except Exception as error:
            self.losses.append(repr(error))
        moment()


@pytest.mark.parametrize("kind", ["sync", "asgi"])
def test_a_reload_with_another_certificate_loses_nothing(
    serve: Serve, authority: Authority, kind: str
) -> None:
    """Under load; the other one is shown from then on."""
    cert = authority.issue("localhost", file="used.pem")
    server = serve(*flags(kind, f"--certfile={cert}", "--workers=2"))
    load = SecureLoad(authority, server)
    load.ask()
    authority.issue("localhost", "new.example", file="used.pem")
    server.signal(signal.SIGHUP)

    def renewed() -> bool:
        load.ask()
        return "new.example" in load.names

    wait_until(renewed, "the new one is used")
    server.wait_for_log(r"gen=1 pid=\d+ exited", times=2)
    for _ in range(20):
        load.ask()

    assert [] == load.losses
    assert {"localhost", "new.example"} == name_shown(authority, server, "localhost")


def test_a_broken_certificate_ends_a_reload(serve: Serve, authority: Authority) -> None:
    """The workers that serve go on with theirs."""
    cert = authority.issue("localhost", file="used.pem")
    server = serve(*flags("sync"), config=f"certfile = {str(cert)!r}")
    assert {"localhost"} == name_shown(authority, server, "localhost")
    broken = authority.directory / "broken.pem"
    broken.write_text("no certificate")
    server.config_path.write_text(f"certfile = {str(broken)!r}")
    server.signal(signal.SIGHUP)
    server.wait_for_log("broken.pem: there is no certificate in it")

    assert {"localhost"} == name_shown(authority, server, "localhost")


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("missing", "keyfile {key}: No such file or directory"),
        ("other", "keyfile {key}: does not belong to the certificate in {cert}"),
    ],
)
def test_a_broken_certificate_is_fatal(
    authority: Authority, broken: str, words: str, check: bool
) -> None:
    """One clear line, and nothing is ever served in plain text."""
    cert, key = authority.pair("localhost")
    key.unlink()
    if broken == "other":
        authority.pair("localhost", file="another")[1].rename(key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [
            *(sys.executable, "-m", "tiamat", *flags("sync")),
            *(f"--certfile={cert}", f"--keyfile={key}"),
            f"--bind=fd://{listener.fileno()}",
            *(["--check-config"] if check else []),
        ]
        done = subprocess.run(
            command, pass_fds=[listener.fileno()], cwd=authority.directory, text=True,
            env=environment(authority.directory), capture_output=True, timeout=LIMIT,
            check=False,
        )  # fmt: skip

    assert 1 == done.returncode
    assert words.format(key=key, cert=cert) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")
def test_keys_are_read_by_root(serve: Serve, tmp_path: Path) -> None:
    """And when they can't be read again, what is in use stays until a reload."""
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(0o755)
    # Another pytest closes the directories of this one, which the worker could then
    # not pass; so its files are elsewhere.
    with tempfile.TemporaryDirectory() as elsewhere:
        Path(elsewhere).chmod(0o755)
        look_at_keys(serve, make_authority(Path(elsewhere)))


def look_at_keys(serve: Serve, authority: Authority) -> None:
    """Start with a key that only root may read, change it, and reload."""
    cert, key = authority.pair("localhost")
    server = serve(
        *flags("sync", f"--certfile={cert}", f"--keyfile={key}", "--user=nobody")
    )
    assert {"localhost"} == name_shown(authority, server, "localhost")
    authority.pair("localhost", "new.example")
    server.wait_for_log(r"is kept: keyfile .*server\.key: Permission denied")
    server.expect("the certificate in use is kept")
    assert {"localhost"} == name_shown(authority, server, "localhost")
    server.signal(signal.SIGHUP)
    wait_until(
        lambda: "new.example" in name_shown(authority, server, "localhost"),
        "the new one is used",
    )


@pytest.mark.parametrize("kind", ["sync", "asgi"])
def test_plain_http_is_sent_to_https(
    serve: Serve, authority: Authority, kind: str
) -> None:
    """With the host and the target that it asked for, if they are valid."""
    cert = authority.issue("localhost")
    server = serve(*flags(kind, f"--certfile={cert}", "--redirect-http"))
    head = b"POST /a%%20b?c=d HTTP/1.1\r\nHost: %s\r\nContent-Length: 5\r\n\r\n"

    def asked(data: bytes) -> bytes:
        with socket.create_connection(server.address, LIMIT) as sock:
            sock.sendall(data)
            return rest(sock)

    answer = asked(head % b"shop.example:8443" + b"12345" + b"x" * 9000)
    assert answer.startswith(b"HTTP/1.1 308 Permanent Redirect\r\n")
    assert b"\r\nLocation: https://shop.example:8443/a%20b?c=d\r\n" in answer
    for bad in (head % b"a/b", head % b"", b"GET / HTTP/1.0\r\n\r\n", b"Garbage\r\n"):
        answer = asked(bad)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"Location" not in answer
    with authority.connect(server.address) as sock:
        assert "hello" in answered(sock)


def test_a_certificate_is_made_for_development(
    serve: Serve,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same for all workers; clients that trust its authority are content."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    server = serve(*flags("sync", "--dev-tls", "--workers=2"))
    path = server.wait_for_log(r"--dev-tls: signed by (\S+)")[1]
    context = ssl.create_default_context(cafile=path)
    with authority.connect(server.address, context) as sock:
        assert "hello" in answered(sock)


@pytest.mark.parametrize("kind", ["asgi", "h11"])
def test_websockets_are_secure_too(
    serve: Serve, authority: Authority, kind: str
) -> None:
    """The application is told so by their scheme."""
    cert = authority.issue("localhost")
    server = serve(*flags(kind, f"--certfile={cert}"))
    url = f"wss://localhost:{server.address[1]}/"
    with connect(url, ssl=authority.client(), open_timeout=LIMIT) as client:
        assert "wss" == client.recv(LIMIT)


@pytest.mark.parametrize("kind", ["sync", "asgi"])
def test_handshakes_that_do_not_end_keep_nobody_out(
    serve: Serve, authority: Authority, kind: str
) -> None:
    """At the limit of connections the one that has waited longest goes."""
    cert = authority.issue("localhost")
    server = serve(
        *flags(kind, f"--certfile={cert}", "--limit-connections=20"),
        "--header-timeout=60",
    )
    slow = []
    for _ in range(40):
        slow.append(socket.create_connection(server.address, LIMIT))
        slow[-1].sendall(b"\x16\x03\x01\x01")
    with authority.connect(server.address) as sock:
        assert "hello" in answered(sock)
    for waiting in slow:
        waiting.close()


@SOME
def test_sockets_that_take_little_at_a_time_lose_nothing(
    serve: Serve, authority: Authority, kind: str
) -> None:
    """Of a long handshake, of a file, of what a client is told at the end."""
    cert = authority.issue("localhost")
    with cert.open("a") as file:
        file.write(authority.path.read_text() * 60)
    data = os.urandom(200_000)
    server = serve(*flags(kind, f"--certfile={cert}"))
    (server.directory / "large").write_bytes(data)
    assert server.listener is not None
    server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    for _ in range(3):
        with authority.connect(server.address) as sock:
            sock.sendall(LAST.replace(b"1.1", b"1.0") % b"file")
            assert rest(sock).endswith(data)
