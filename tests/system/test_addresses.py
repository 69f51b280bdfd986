"""Addresses in text."""

import pytest

from tiamat.system.addresses import (
    Descriptor,
    Place,
    Tcp,
    Unix,
    parse_address,
    split_tls,
)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:8000", Tcp("127.0.0.1", 8000)),
        ("Example.org:80", Tcp("example.org", 80)),
        ("localhost", Tcp("localhost", 8000)),
        (":9000", Tcp("", 9000)),
        ("[::1]:9000", Tcp("::1", 9000)),
        ("[::]", Tcp("::", 8000)),
        ("tcp://10.0.0.1:1", Tcp("10.0.0.1", 1)),
        (" 0.0.0.0:0 ", Tcp("0.0.0.0", 0)),
        ("unix:/run/x.sock", Unix("/run/x.sock")),
        ("unix:///run/x.sock", Unix("/run/x.sock")),
        ("unix:x.sock", Unix("x.sock")),
        ("unix:@name", Unix("\0name")),
        ("fd://3", Descriptor(3)),
        ("tls://[::1]:9000", Tcp("::1", 9000)),
        ("web=plain://unix:x.sock", Unix("x.sock")),
        ("plain://fd://3", Descriptor(3)),
    ],
)
def test_an_address_is_read(text: str, place: Place) -> None:
    """Every form of the manual is understood."""
    assert place == parse_address(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("8000", r"a port alone is no address; write 127\.0\.0\.1:8000"),
        ("::1", r"an IPv6 address stands in brackets: \[::1\]:8000"),
        ("::1:8000", "in brackets"),
        ("localhost:http", "'http' is no port"),
        ("localhost:65536", "'65536' is no port; ports are 0 to 65535"),
        ("localhost:-1", "'-1' is no port"),
        ("localhost:", "the port is missing"),
        (":", "the port is missing"),
        ("", "the port is missing"),
        ("[::1", "brackets don't match"),
        ("[::1]8000", "brackets don't match"),
        ("/run/x.sock", "a path is written unix:/run/x.sock"),
        ("unix:", "the path is missing"),
        ("unix:@", "the path is missing"),
        ("unix:/" + "x" * 200, "the path has 201 bytes"),
        ("fd://x", "'x' is no descriptor"),
        ("fd://", "'' is no descriptor"),
        ("tls://udp://localhost:53", "no TLS for datagrams"),
        ("http://localhost:80", "in brackets|no host|no port"),
    ],
)
def test_a_wrong_address_says_what_to_write(text: str, complaint: str) -> None:
    """The error of each common slip names the cure."""
    with pytest.raises(ValueError, match=complaint):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "tls", "rest"),
    [
        ("tls://a:1", True, "a:1"),
        ("PLAIN://a:1", False, "a:1"),
        ("smtps=tls://a:1", True, "a:1"),
        ("tcp://a:1", None, "tcp://a:1"),
        ("a:1", None, "a:1"),
    ],
)
def test_an_address_may_say_whether_it_has_tls(
    text: str, tls: bool | None, rest: str
) -> None:
    """Else the settings do, for all of them."""
    assert (tls, rest) == split_tls(text)
