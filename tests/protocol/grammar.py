"""
A grammar of requests, right and nearly right: RFC 9112 as strategies of Hypothesis.

``sent`` makes requests that must be taken as written, and knows how. ``mutated``
breaks some, with what smuggling has been made of, and knows nothing.
"""

from dataclasses import dataclass

from hypothesis import strategies as st
from protocol.wire import corpus

METHODS = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
]  # fmt: skip
TOKEN = "!#$%&'*+.^`|~-0123456789abcXYZ"
PATH = "/abc%20%2f%00~-._:@!$&'()*+,;=?"
HOSTS = ["a", "a:80", "b.example", "[::1]:8080", "127.0.0.1", "a%2f"]

# What other programs read otherwise; each may stand anywhere.
PIECES = [
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\n\n", b"\n\r", b" ", b"\t", b"\0", b"\x0b",
    b"\x0c", b"\x7f", b"\x85", b"\xa0", b"\xff", b":", b";", b",", b"=", b'"', b"\\",
    b"_", b"#", b"?", b"*", b"@", b"/", b"%", b"0", b"1", b"f", b"x", b"0x", b"+", b"-",
    b"\r\n ", b"\r\n\t", b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0", b"GET", b"PRI",
    b"http://b", b"https://", b"Host: a\r\n", b"Host: b\r\n", b"Host:", b"Host :",
    b"Content-Length: 0\r\n", b"Content-Length: 1\r\n", b"Content-Length: 5\r\n",
    b"Content-Length:", b"content-length : 3\r\n", b"Content_Length: 1\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding:", b"chunked", b"identity",
    b"Transfer-Encoding : chunked\r\n", b"Transfer_Encoding: chunked\r\n", b", gzip",
    b"Connection: upgrade\r\nUpgrade: x\r\n", b"Upgrade: websocket\r\n", b"h2c",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"close", b"upgrade",
    b"Proxy-Connection: close\r\n", b"Expect: 100-continue\r\n", b"Expect: x\r\n",
    b"Trailer: X\r\n", b"0\r\n\r\n", b"1\r\nx\r\n", b"5;a=b\r\nhello\r\n",
    b"ffffffffffffffff\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
]  # fmt: skip

WIRES = [case.wire for case in corpus()]


@dataclass(frozen=True)
class Sent:
    """A valid request, and how it must be read."""

    wire: bytes
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: str
    keep_alive: bool = True


spaces = st.sampled_from(["", " ", "\t", "  ", " \t "])
names = st.text(TOKEN, min_size=1, max_size=8).map(lambda text: "x-" + text)
values = st.text(
    [chr(byte) for byte in range(0x21, 0x100) if byte != 0x7F], max_size=12
)
targets = st.text(PATH, max_size=20).map(lambda text: "/" + text)
contents = st.binary(max_size=40)


@st.composite
def fields(draw: st.DrawFn) -> list[tuple[str, str, str]]:
    """Fields as they are kept: name, value; and the line that says so."""
    found = []
    for _ in range(draw(st.integers(0, 4))):
        name, value = draw(names), draw(values)
        written = draw(st.sampled_from([name, name.upper(), name.title()]))
        line = f"{written}:{draw(spaces)}{value}{draw(spaces)}\r\n"
        found.append((name.lower(), value, line))
    return found


@st.composite
def chunked(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Content, and the chunks that it goes in."""
    chunks = draw(st.lists(contents.filter(bool), max_size=4))
    wire = b""
    for chunk in chunks:
        size = draw(st.sampled_from(["%x", "%X", "%04x"])) % len(chunk)
        extension = draw(st.sampled_from(["", ";a", ";a=b", ';a="b;\\"c"', ";a;b=1"]))
        wire += f"{size}{extension}\r\n".encode() + chunk + b"\r\n"
    trailers = "".join(line for _, _, line in draw(fields())).encode("latin-1")
    return b"".join(chunks), wire + b"0\r\n" + trailers + b"\r\n"


@st.composite
def one(draw: st.DrawFn) -> Sent:
    """One request of HTTP/1.1."""
    method, target = draw(st.sampled_from(METHODS)), draw(targets)
    host = draw(st.sampled_from(HOSTS))
    lines = [("host", host, f"Host: {host}\r\n"), *draw(fields())]
    body, wire = b"", b""
    framing = draw(st.sampled_from(["none", "length", "chunked"]))
    if framing == "length":
        body = wire = draw(contents)
        name, value = "content-length", str(len(body))
        lines.append((name, value, f"Content-Length: {value}\r\n"))
    elif framing == "chunked":
        body, wire = draw(chunked())
        lines.append(("transfer-encoding", "chunked", "Transfer-Encoding: chunked\r\n"))
    order = draw(st.permutations(lines))
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(line for *_, line in order)
    return Sent(
        head.encode("latin-1") + b"\r\n" + wire,
        method,
        target,
        tuple((name, value) for name, value, _ in order),
        body.decode("latin-1"),
    )


sent = st.lists(one(), min_size=1, max_size=3)
"""A few requests, pipelined."""


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Requests of the grammar or of the corpus, changed in a few places."""
    seeds = st.one_of(st.sampled_from(WIRES), one().map(lambda request: request.wire))
    wire = bytearray(b"".join(draw(st.lists(seeds, min_size=1, max_size=2))))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(wire)))
        end = at + draw(st.sampled_from([0, 0, 0, 1, 2, 8]))
        wire[at:end] = draw(
            st.one_of(st.sampled_from(PIECES), st.binary(max_size=2), st.just(b""))
        )
    return bytes(wire)
