"""Who speaks plain HTTP to an address with TLS."""

import logging
import socket
from typing import Any

import pytest
from drivers.loops import Running, read_all, running

from tiamat.drivers.opening import Opener
from tiamat.drivers.plain import TEXT, PlainHTTP
from tiamat.protocol.preface import Preface

LOG = logging.getLogger("tests.plain")


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """No plain request is to come here."""
    start_response("200 OK", [])
    return [b"served"]


def looking(server: Running, *, redirect: bool) -> Running:
    """Have a loop that runs look for them."""
    behind = server.service.environs.behind
    opener = Opener(LOG, 20.0, lambda secure: Preface(None, looks=True), behind=behind)
    opener.plain = PlainHTTP(server.service, redirect=redirect).begin
    server.service.opener = opener
    return server


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_request_in_pieces_is_sent_to_https(size: int) -> None:
    """When its head is whole; what follows is read, so that the answer arrives."""
    data = b"GET /a?b HTTP/1.1\r\nHost: h:1\r\n\r\n" + b"x" * 100
    with running(app) as server, looking(server, redirect=True).connect() as client:
        for start in range(0, len(data), size):
            client.sendall(data[start : start + size])
        answer = read_all(client)

    assert answer.startswith(b"HTTP/1.1 308 Permanent Redirect\r\n")
    assert b"\r\nLocation: https://h:1/a?b\r\n" in answer
    assert answer.endswith(TEXT)


@pytest.mark.usefixtures("kind")
def test_without_redirects_the_first_byte_is_enough() -> None:
    """It is answered, and nothing is parsed."""
    with running(app) as server, looking(server, redirect=False).connect() as client:
        client.sendall(b"G")
        client.shutdown(socket.SHUT_WR)
        answer = read_all(client)

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(TEXT)
