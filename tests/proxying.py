"""Real proxies in front of a server: nginx and HAProxy, each a child of the test."""

import http.client
import json
import os
import socket
import ssl
import subprocess
import textwrap
import threading
from pathlib import Path
from typing import Any

import trustme
from programs import need
from running import LIMIT

CLIENT = "127.0.0.2"
"""Where clients come from: the proxy's own address is another one."""

HOST = "shop.example"

FORGED = {
    "X-Forwarded-For": "203.0.113.1",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Prefix": "/evil",
    "Forwarded": "for=203.0.113.1;proto=gopher;host=evil.example",
}
"""What a client writes who would be somebody else."""

NGINX = """
    error_log stderr;
    daemon off;
    {user}
    worker_processes 1;
    pid {directory}/nginx.pid;
    events {{ worker_connections 256; }}
    http {{
        access_log off;
        client_body_temp_path {directory}/body;
        proxy_temp_path {directory}/proxy;
        fastcgi_temp_path {directory}/fastcgi;
        uwsgi_temp_path {directory}/uwsgi;
        scgi_temp_path {directory}/scgi;
        upstream site {{
            server {upstream};
            keepalive 16;
        }}
        server {{
            listen {address} {tls};
            {certificate}
            location / {{
                {location}
            }}
        }}
    }}
"""

CERTIFICATE = "ssl_certificate {0}; ssl_certificate_key {0};"

NGINX_HTTP = """
    proxy_pass http://site;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Port "";
    proxy_set_header X-Forwarded-Prefix "";
"""

NGINX_UWSGI = """
    uwsgi_pass site;
    include /etc/nginx/uwsgi_params;
"""

HAPROXY = """
    global
        maxconn 256
    defaults
        mode {mode}
        timeout connect 45s
        timeout client 45s
        timeout server 45s
    frontend public
        bind fd@{fd} {tls}
        {options}
        default_backend site
    backend site
        {reuse}
        server one {upstream} {sends}
"""

HAPROXY_HTTP = """option forwardfor
        http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
        http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
        http-request set-header X-Forwarded-Host %[req.hdr(host)]
        http-request del-header X-Forwarded-Port
        http-request del-header X-Forwarded-Prefix"""


class Front:
    """
    A proxy at work.

    The test listens and the proxy inherits the socket, so no port is guessed.

    Args:
        directory: For its files.
        tls: The client comes by TLS.
        through: That is passed on to the server as it is.

    Attributes:
        upstream: The server's address.
        pem: Key and certificate, if there is TLS.
    """

    upstream = ""
    process: "subprocess.Popen[bytes] | None" = None

    def __init__(self, directory: Path, *, tls: bool, through: bool = False) -> None:
        self.directory = directory
        self.pem = directory / "site.pem"
        self.ends_tls = tls and not through
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address: tuple[str, int] = self.listener.getsockname()
        self.context: ssl.SSLContext | None = None
        if tls:
            authority = trustme.CA()
            made = authority.issue_cert(HOST)
            made.private_key_and_cert_chain_pem.write_to_path(str(self.pem))
            self.context = ssl.create_default_context()
            authority.configure_trust(self.context)

    def start(self, *words: str, **environ: str) -> None:
        """Begin to serve."""
        self.output = self.directory / "proxy.log"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                words,
                pass_fds=[self.listener.fileno()],
                env=os.environ | environ,
                stdout=output,
                stderr=output,
            )

    def nginx(self, location: str) -> None:
        """Be nginx; it takes inherited sockets as in an upgrade of its binary."""
        path = self.directory / "nginx.conf"
        path.write_text(
            NGINX.format(
                directory=self.directory,
                upstream=self.upstream,
                address=f"127.0.0.1:{self.address[1]}",
                location=location,
                user="user root;" if os.getuid() == 0 else "",
                tls="ssl" if self.ends_tls else "",
                certificate=CERTIFICATE.format(self.pem) if self.ends_tls else "",
            )
        )
        fd = self.listener.fileno()
        self.start(need("nginx"), "-e", "stderr", "-c", str(path), NGINX=f"{fd};")

    def haproxy(self, sends: str = "") -> None:
        """Be HAProxy: for HTTP, or passing on connections with a PROXY header."""
        path = self.directory / "haproxy.cfg"
        text = HAPROXY.format(
            fd=self.listener.fileno(),
            upstream=self.upstream,
            tls=f"ssl crt {self.pem}" if self.ends_tls else "",
            mode="tcp" if sends else "http",
            options="" if sends else HAPROXY_HTTP.format(),
            reuse="" if sends else "http-reuse always",
            sends=sends,
        )
        path.write_text(textwrap.dedent(text))
        self.start(need("haproxy"), "-db", "-f", str(path))

    def connect(self) -> http.client.HTTPConnection:
        """A client of its own address."""
        options: dict[str, Any] = {"timeout": LIMIT, "source_address": (CLIENT, 0)}
        if self.context is None:
            return http.client.HTTPConnection(*self.address, **options)
        plain = socket.create_connection(self.address, LIMIT, (CLIENT, 0))
        connection = http.client.HTTPSConnection(HOST, context=self.context)
        connection.sock = self.context.wrap_socket(plain, server_hostname=HOST)
        return connection

    def close(self) -> None:
        """End it; it must have lived until then."""
        self.listener.close()
        if self.process is None:
            return
        died = self.process.poll() is not None
        self.process.terminate()
        self.process.wait(LIMIT)
        assert not died, self.output.read_text()


def ask(
    connection: http.client.HTTPConnection, path: str, *, size: int = 0
) -> dict[str, Any]:
    """What the application was told of one request; with a body, it's a POST."""
    body = b"x" * size if size else None
    method = "POST" if size else "GET"
    connection.request(method, path, body, {"Host": HOST, **FORGED})
    response = connection.getresponse()
    text = response.read().decode()
    assert response.status == 200, (response.status, text)
    said: dict[str, Any] = json.loads(text)
    return said


def ask_often(front: Front, count: int, clients: int = 4) -> list[str]:
    """
    Ask from several clients at once; each keeps its connection, if it is let.

    Returns:
        What was not answered as it should be.
    """
    losses: list[str] = []

    def run() -> None:
        connection = front.connect()
        for number in range(count // clients):
            size = 100_000 if number % 50 == 7 else 0
            try:
                said = ask(connection, f"/a%20b?{number}", size=size)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                losses.append(f"{number}: {error!r}")
                connection.close()
                connection = front.connect()
                continue
            seen = said["client"], said["query"], said["size"]
            if seen != (CLIENT, str(number), size):
                losses.append(f"{number}: {said}")
            if number % 20 == 19:  # some open a new one
                connection.close()
                connection = front.connect()
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return losses
