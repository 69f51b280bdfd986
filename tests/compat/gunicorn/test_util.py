"""gunicorn's helping functions."""

import fcntl
import os
import socket
from pathlib import Path

import pytest

from tiamat.compat import shim
from tiamat.compat.gunicorn import util
from tiamat.compat.gunicorn.errors import AppImportError

APP = """
def application(environ, start_response): return []
def other(environ, start_response): return []
def make(name): return application if name == "a" else other
number = 3
"""


@pytest.fixture(autouse=True)
def _gunicorn() -> None:
    """Names of classes mean ours."""
    shim.install()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with an application."""
    name = f"site_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(APP)
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.mark.parametrize(
    ("rest", "expected"),
    [("", "application"), (":other", "other"), (":make('b')", "other")],
)
def test_an_application_is_imported(site: str, rest: str, expected: str) -> None:
    """By gunicorn's ways to name it."""
    assert expected == util.import_app(site + rest).__name__


@pytest.mark.parametrize("rest", [":missing", ":number", ":make(x)"])
def test_what_is_no_application(site: str, rest: str) -> None:
    """Has an exception of its own."""
    with pytest.raises(AppImportError):
        util.import_app(site + rest)


def test_a_module_that_is_missing() -> None:
    """Has Python's exception."""
    with pytest.raises(ImportError):
        util.import_app("no_such_module_of_test:app")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:80", ("a", 80)),
        ("a", ("a", 8000)),
        ("", ("0.0.0.0", 8000)),
        ("[::1]:80", ("::1", 80)),
        ("[::1]", ("::1", 8000)),
        ("tcp://a:80", ("a", 80)),
        ("unix:/run/x", "/run/x"),
        ("unix:///run/x", "/run/x"),
        ("fd://3", 3),
    ],
)
def test_an_address_is_read(text: str, expected: object) -> None:
    """As gunicorn writes it."""
    assert expected == util.parse_address(text)


def test_an_address_that_is_none() -> None:
    """Is gunicorn's exception."""
    with pytest.raises(RuntimeError, match="is no address"):
        util.parse_address("fd://x")


@pytest.mark.parametrize("name", ["collections.OrderedDict", "collections:OrderedDict"])
def test_a_class_is_loaded_by_name(name: str) -> None:
    """A dotted one."""
    assert "OrderedDict" == util.load_class(name).__name__


def test_a_class_stays_itself() -> None:
    """If it is given instead of its name."""
    assert dict is util.load_class(dict)


def test_a_class_is_loaded_from_a_distribution() -> None:
    """By the name of an entry point."""
    found = util.load_class("egg:tiamat-server#main", section="paste.server_runner")

    assert "serve" == found.__name__


@pytest.mark.parametrize("name", ["no.such.Class", "egg:tiamat-server#no"])
def test_a_class_that_is_missing(name: str) -> None:
    """Is gunicorn's exception."""
    with pytest.raises(RuntimeError, match="invalid or not found"):
        util.load_class(name)


def test_a_path_is_unquoted_for_wsgi() -> None:
    """Its bytes as Latin-1."""
    assert "/caf\xc3\xa9" == util.unquote_to_wsgi_str("/caf%C3%A9")


def test_a_date_is_written() -> None:
    """As HTTP has it."""
    assert "Thu, 01 Jan 1970 00:00:00 GMT" == util.http_date(0)


def test_the_directory_has_the_shells_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which may be a link."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    monkeypatch.chdir(link)
    monkeypatch.setenv("PWD", str(link))

    assert str(link) == util.getcwd()


def test_a_shells_name_that_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", "/")

    assert os.getcwd() == util.getcwd()


def test_a_descriptor_changes() -> None:
    """Nobody inherits it, nobody waits on it."""
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)

    util.close_on_exec(reader)
    util.set_non_blocking(reader)

    assert not os.get_inheritable(reader)
    assert fcntl.fcntl(reader, fcntl.F_GETFL) & os.O_NONBLOCK
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(("text", "expected"), [("::1", True), ("127.0.0.1", False)])
def test_addresses_of_ipv6(text: str, expected: bool) -> None:
    """Are told from others."""
    assert expected is util.is_ipv6(text)


def test_text_becomes_bytes_and_back() -> None:
    """Bytes stay bytes, text stays text."""
    assert (b"\xc3\xa9", b"x") == (util.to_bytestring("é"), util.to_bytestring(b"x"))
    assert ("é", "x") == (util.bytes_to_str(b"\xe9"), util.bytes_to_str("x"))


def test_only_text_becomes_bytes() -> None:
    """Nothing else."""
    with pytest.raises(TypeError):
        util.to_bytestring(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_sent(chunked: bool) -> None:
    """As it is, or as a chunk."""
    here, there = socket.socketpair()

    with here, there:
        util.write(here, b"hello", chunked)
        assert (b"5\r\nhello\r\n" if chunked else b"hello") == there.recv(100)


def test_an_error_is_sent() -> None:
    """As a page that has no markup from elsewhere."""
    here, there = socket.socketpair()

    with here, there:
        util.write_error(here, 400, "Bad Request", "<b>")
        page = there.recv(1000)
    assert page.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"&lt;b&gt;" in page


def test_a_connection_ends_gracefully() -> None:
    """The client's last bytes are taken, so that it gets the answer."""
    here, there = socket.socketpair()

    with there:
        there.sendall(b"late")
        there.shutdown(socket.SHUT_WR)
        util.close_graceful(here)
        assert b"" == there.recv(1)
    assert -1 == here.fileno()


def test_an_application_that_fails() -> None:
    """Says why, to everybody."""
    said = []
    app = util.make_fail_app("broken")

    assert [b"broken"] == app({}, lambda *words: said.append(words[0]))
    assert ["500 Internal Server Error"] == said


def test_a_target_is_split() -> None:
    """One that begins with two slashes names no host."""
    assert ("//a/b", "c") == util.split_request_uri("//a/b?c")[2:4]


def test_an_exception_is_raised_again() -> None:
    """The same."""
    error = ValueError("x")
    with pytest.raises(ValueError, match="x") as caught:
        util.reraise(ValueError, error)
    assert error is caught.value


def test_arguments_are_counted() -> None:
    """Those that have a place."""
    assert 2 == util.get_arity(lambda a, b, *, c=1: None)


def test_a_file_may_be_gone(tmp_path: Path) -> None:
    """When it is removed."""
    util.unlink(tmp_path / "none")


def test_a_file_can_be_written_to(tmp_path: Path) -> None:
    """Or not."""
    util.check_is_writable(tmp_path / "log")
    with pytest.raises(RuntimeError, match="can't write"):
        util.check_is_writable(tmp_path)


@pytest.mark.parametrize(("name", "expected"), [("Server", True), ("X-A", False)])
def test_headers_of_the_connection(name: str, expected: bool) -> None:
    """Are not the application's."""
    assert expected is util.is_hoppish(name)


def test_patterns_are_told_from_names() -> None:
    """By their asterisks."""
    assert util.is_glob_pattern("*.py")
    assert not util.is_glob_pattern("a.py")
