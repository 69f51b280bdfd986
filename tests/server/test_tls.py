"""TLS with every class of workers: real servers, and clients that are not ours."""

import contextlib
import http.client
import io
import json
import os
import signal
import socket
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from authority import Authority, make_authority, rest
from conftest import Serve
from kinds import KINDS
from programs import need
from running import LIMIT, Server

GET = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
POST = b"POST /%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


def flags(kind: str, *more: str) -> list[str]:
    """Which application, and on which workers."""
    app, *rest = KINDS[kind]
    return [f"apps.secure:{app}", *rest, *more]


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest,
    authority: Authority,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A server of each kind, for the tests that leave it as it was."""
    directory = tmp_path_factory.mktemp(request.param)
    (directory / "large").write_bytes(os.urandom(3_000_000))
    cert = authority.issue("localhost", file=f"{request.param}.pem")
    made = Server(
        directory, *flags(request.param, f"--certfile={cert}", "--log-level=debug")
    )
    yield made
    made.close()


def ask(sock: ssl.SSLSocket, data: bytes) -> bytes:
    """Send something and read to the end."""
    sock.sendall(data)
    return rest(sock)


def body(answer: bytes) -> bytes:
    """That of a response."""
    return answer.partition(b"\r\n\r\n")[2]


def test_requests_are_answered_on_one_connection(
    server: Server, authority: Authority
) -> None:
    """One after the other, and pipelined; the end is said, so it is no truncation."""
    server.wait_for_log("listening on https://")
    with authority.connect(server.address) as sock:
        assert ("TLSv1.3", "http/1.1") == (sock.version(), alpn(server, authority))
        for _ in range(3):
            sock.sendall(GET % b"")
            answer = b""
            while not answer.endswith(b"hello"):
                answer += sock.recv(65536)
        answer = ask(sock, GET % b"" * 5 + LAST % b"")

    assert 6 == answer.count(b"HTTP/1.1 200 OK")


def alpn(server: Server, authority: Authority) -> str | None:
    """What is chosen of what a browser offers."""
    context = authority.client()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with authority.connect(server.address, context) as sock:
        return sock.selected_alpn_protocol()


def test_large_bodies_go_both_ways(server: Server, authority: Authority) -> None:
    """Every byte as it was; also when the client reads late."""
    data = os.urandom(3_000_000)
    with authority.connect(server.address) as sock:
        sock.sendall(POST % (b"", len(data)))
        sock.sendall(data)
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        assert data == answer.read()
        assert b"" != ask(sock, LAST % b"")


def test_files_are_sent(server: Server, authority: Authority) -> None:
    """Which the kernel sends over plain connections."""
    with authority.connect(server.address) as sock:
        answer = ask(sock, LAST % b"file")

    assert (server.directory / "large").read_bytes() == unframed(answer)


class Kept:
    """What has come, as the socket that it came from."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.data)


def unframed(answer: bytes) -> bytes:
    """The body of a response, chunked or not."""
    response = http.client.HTTPResponse(Kept(answer))  # type: ignore[arg-type]
    response.begin()
    return response.read()


def test_applications_are_told_of_it(server: Server, authority: Authority) -> None:
    """The scheme, and what the handshake has settled."""
    with authority.connect(server.address) as sock:
        told = json.loads(unframed(ask(sock, LAST % b"told")))
        cipher = sock.cipher()
    assert cipher is not None

    if "tls" not in told:
        assert told == {
            "wsgi.url_scheme": "https",
            "HTTPS": "on",
            "SSL_PROTOCOL": "TLSv1.3",
            "SSL_CIPHER": cipher[0],
            "SSL_CLIENT_VERIFY": "NONE",
        }
        return
    server_cert = told["tls"].pop("server_cert")
    assert server_cert.startswith("-----BEGIN CERTIFICATE-----")
    assert told == {
        "scheme": "https",
        "tls": {
            "client_cert_chain": [],
            "client_cert_name": None,
            "client_cert_error": None,
            "tls_version": 0x0304,
            "cipher_suite": 0x1302,
        },
    }


def test_a_slow_handshake_costs_nobody_else(
    server: Server, authority: Authority
) -> None:
    """Who says half a word stays alone with it."""
    slow = [socket.create_connection(server.address, LIMIT) for _ in range(5)]
    hello = client_hello()
    for size, sock in enumerate(slow):
        sock.sendall(hello[: size * 50])
    with authority.connect(server.address) as sock:
        assert b"hello" == unframed(ask(sock, LAST % b""))
    slow[-1].sendall(hello[200:])
    assert b"\x16" == slow[-1].recv(1)
    for sock in slow:
        sock.close()


def client_hello() -> bytes:
    """The first words of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, outgoing, False, "localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x00\x20" + b"?" * 32,
        b"\x80\x2e\x01\x00\x02",
        b"\0" * 100,
        b"\x16",
    ],
)
def test_garbage_in_place_of_a_handshake_is_the_end(
    server: Server, authority: Authority, garbage: bytes
) -> None:
    """Of that connection, and of nothing else."""
    with socket.create_connection(server.address, LIMIT) as sock:
        sock.sendall(garbage)
        sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            assert not rest(sock).startswith(b"HTTP")
    with authority.connect(server.address) as sock:
        assert b"hello" == unframed(ask(sock, LAST % b""))


def test_plain_http_is_told_what_it_has_done(server: Server) -> None:
    """In a text that it understands; nothing else is ever said in plain text."""
    with socket.create_connection(server.address, LIMIT) as sock:
        sock.sendall(GET % b"told" + b"x" * 5000)
        answer = rest(sock)

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b"\r\n\r\nThis address speaks TLS: ask for https://\n")


def test_a_truncated_body_is_incomplete(server: Server, authority: Authority) -> None:
    """No application takes what it has for all of it."""
    with authority.connect(server.address) as sock:
        sock.sendall(POST % (b"body", 1000) + b"x" * 999)
        raw = socket.socket(fileno=sock.detach())
        raw.close()
    with authority.connect(server.address) as sock:
        sock.sendall(POST % (b"body", 10) + b"x" * 10)
        response = http.client.HTTPResponse(sock)
        response.begin()
        response.read()
        count = int(unframed(ask(sock, LAST % b"count")))

    assert 1 == count


def test_old_versions_are_refused(server: Server, authority: Authority) -> None:
    """RFC 8996: nobody below TLS 1.2 is served."""
    context = authority.client()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        authority.connect(server.address, context)


def test_openssl_and_curl_and_h2load_connect(
    server: Server, authority: Authority, tmp_path: Path
) -> None:
    """What people look with."""
    where = "{}:{}".format(*server.address)
    s_client = [need("openssl"), "s_client", "-connect", where, "-servername"]
    s_client += ["localhost", "-CAfile", str(authority.path)]
    request = (LAST % b"").decode()
    done = run([*s_client, "-quiet", "-ign_eof", "-verify_return_error"], request)
    assert "200 OK" in done
    done = run([*s_client, "-tls1_2"], "R\n" + request)
    assert "no renegotiation" in done
    assert "200 OK" not in done
    url = f"https://localhost:{server.address[1]}"
    assert "hello" == run([need("curl"), "-s", "--cacert", str(authority.path), url])
    h2load = [need("h2load"), "--h1", "-n200", "-c10", "-t1", url]
    assert "200 succeeded, 0 failed, 0 errored" in run(h2load)


def run(command: list[str], text: str = "") -> str:
    """What a program says."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_an_address_may_stay_without_tls(
    serve: Serve, authority: Authority, kind: str
) -> None:
    """Beside others that have it; also after a reload."""
    cert = authority.issue("localhost", file=f"beside-{kind}.pem")
    server = serve(*flags(kind, f"--certfile={cert}", "--bind=web=plain://127.0.0.1:0"))
    port = int(server.wait_for_log(r"http://127.0.0.1:(\d+) \(web\)")[1])

    assert ["http", "https"] == both(server, authority, port)
    server.signal(signal.SIGHUP)
    server.wait_for_log("every worker is of generation 2")
    assert ["http", "https"] == both(server, authority, port)


def both(server: Server, authority: Authority, port: int) -> list[str]:
    """What the application is told of either address."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
    plain.sendall(LAST % b"told")
    with plain, authority.connect(server.address) as sock:
        answers = rest(plain), ask(sock, LAST % b"told")
    told = [json.loads(unframed(answer)) for answer in answers]
    return [one.get("scheme") or one["wsgi.url_scheme"] for one in told]
