"""Sinks: one write per record, and never a wait."""

import os
import pty
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiamat.observe.sink import Sink


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe: where to read, where to write."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def fill(sink: Sink) -> None:
    """Write records into *sink* until it drops one."""
    while not sink.dropped:
        sink.write(b"x" * 4095 + b"\n")


def drain(reader: int) -> bytes:
    """All that waits in the pipe."""
    os.set_blocking(reader, False)
    data = b""
    try:
        while chunk := os.read(reader, 65536):
            data += chunk
    except BlockingIOError:
        pass
    return data


def test_lines_are_appended_to_a_file(tmp_path: Path) -> None:
    """What a file holds already stays, whoever else writes to it."""
    path = tmp_path / "log"
    path.write_bytes(b"old\n")
    one, other = Sink(str(path), 2), Sink(str(path), 2)

    one.write(b"one\n")
    other.write(b"other\n")
    one.write(b"one\n")

    one.close()
    other.close()
    assert path.read_bytes() == b"old\none\nother\none\n"


def test_a_full_pipe_drops_and_counts(pipe: tuple[int, int]) -> None:
    """A reader that is too slow costs lines, never time, and hears how many."""
    reader, writer = pipe
    sink = Sink("-", writer)
    fill(sink)
    sink.write(b"lost too\n")
    drain(reader)

    sink.write(b"heard\n")

    sink.close()
    expected = b"[2 lines were dropped: nobody took them in time]\nheard\n"
    assert expected == drain(reader)


def test_the_stream_we_were_given_keeps_blocking(pipe: tuple[int, int]) -> None:
    """Others who share a standard stream see no O_NONBLOCK on it."""
    _, writer = pipe

    Sink("-", writer).close()

    assert os.get_blocking(writer)


def test_a_long_record_is_finished_before_the_next_one(pipe: tuple[int, int]) -> None:
    """A record that fits only in part is completed; lines never run together."""
    reader, writer = pipe
    sink = Sink("-", writer)
    sink.write(b"a" * 100_000 + b"\n")
    first = drain(reader)
    sink.write(b"next\n")

    sink.close()
    assert first + drain(reader) == b"a" * 100_000 + b"\nnext\n"


def test_a_pipe_that_cannot_be_opened_anew_is_asked_first(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's pipe is written to only while it takes more."""
    reader, writer = pipe
    refuse_to_open(monkeypatch)
    sink = Sink("-", writer)
    assert sink.careful

    fill(sink)
    drain(reader)
    sink.write(b"b" * 5000 + b"\n")
    sink.write(b"end\n")

    sink.close()
    dropped = b"[1 line was dropped: nobody took them in time]\n"
    assert dropped + b"b" * 5000 + b"\nend\n" == drain(reader)


def refuse_to_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when /proc is not mounted, or the pipe is another user's."""

    def refuse(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("tiamat.observe.sink.os.open", refuse)


def test_the_journals_socket_takes_lines() -> None:
    """Under systemd the standard error is a socket; it never blocks either."""
    ours, theirs = socket.socketpair()
    sink = Sink("-", ours.fileno())

    sink.write(b"hello\n")

    assert theirs.recv(100) == b"hello\n"
    fill(sink)
    sink.close()
    ours.close()
    theirs.close()


def test_a_daemon_lets_go_of_its_standard_streams() -> None:
    """Who waits for the end of the stream sees it, and the server goes on."""
    reader, writer = os.pipe()
    ours, theirs = socket.socketpair()
    sinks = [Sink("-", writer), Sink("-", ours.fileno())]
    os.close(writer)
    ours.close()

    for sink in sinks:
        sink.detach()
        sink.write(b"nobody hears\n")

    assert os.read(reader, 100) == b""
    assert theirs.recv(100) == b""
    assert [sink.dropped for sink in sinks] == [0, 0]
    for sink in sinks:
        sink.close()
    os.close(reader)
    theirs.close()


def test_a_file_is_not_let_go(tmp_path: Path) -> None:
    """A daemon's log files stay in use."""
    sink = Sink(str(tmp_path / "log"), 2)

    sink.detach()
    sink.write(b"heard\n")

    sink.close()
    assert (tmp_path / "log").read_bytes() == b"heard\n"


def test_dev_stderr_means_the_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """``/dev/stderr`` works where it is a socket, which nobody can open."""
    sink = Sink("/dev/stderr", 1)

    sink.write(b"hello\n")

    sink.close()
    assert sink.standard == 2
    assert capfd.readouterr().err == "hello\n"


def test_a_reader_that_has_gone_does_no_harm() -> None:
    """A closed pipe is a slow reader that never comes back."""
    reader, writer = os.pipe()
    sink = Sink("-", writer)
    os.close(reader)

    sink.write(b"nobody hears\n")

    assert sink.dropped == 1
    sink.close()
    os.close(writer)


def test_a_closed_stream_is_silence() -> None:
    """A server started with ``2>&-`` serves, and says nothing."""
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)

    sink = Sink("-", writer)
    sink.write(b"nobody hears\n")

    assert (sink.dropped, sink.terminal) == (0, False)
    sink.close()


def test_a_terminal_is_recognised() -> None:
    """Colours are for terminals only."""
    master, slave = pty.openpty()
    sink = Sink("-", slave)

    assert sink.terminal
    sink.close()
    os.close(master)
    os.close(slave)


def test_a_rotated_file_is_opened_anew(tmp_path: Path) -> None:
    """After ``reopen`` lines go to the file that has the name now."""
    path = tmp_path / "log"
    sink = Sink(str(path), 2)
    sink.write(b"old\n")
    path.rename(tmp_path / "log.1")

    sink.write(b"still old\n")
    sink.reopen()
    sink.write(b"new\n")

    sink.close()
    assert (tmp_path / "log.1").read_bytes() == b"old\nstill old\n"
    assert path.read_bytes() == b"new\n"


def test_a_file_that_cannot_be_opened_again_stays_in_use(tmp_path: Path) -> None:
    """A rotation into a directory that is gone loses no line."""
    directory = tmp_path / "logs"
    directory.mkdir()
    sink = Sink(str(directory / "log"), 2)
    directory.rename(tmp_path / "moved")

    with pytest.raises(FileNotFoundError):
        sink.reopen()
    sink.write(b"heard\n")

    sink.close()
    assert (tmp_path / "moved" / "log").read_bytes() == b"heard\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_belongs_to_its_owner_from_then_on(tmp_path: Path) -> None:
    """The workers' user owns the file, and the one that replaces it."""
    path = tmp_path / "log"
    sink = Sink(str(path), 2)
    sink.chown(65534, 65534)
    assert path.stat().st_uid == 65534
    path.unlink()

    sink.reopen()

    sink.close()
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)


def test_a_fifo_that_nobody_reads_is_an_error_not_a_wait(tmp_path: Path) -> None:
    """The start does not hang on a named pipe without a reader."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    assert stat.S_ISFIFO(path.stat().st_mode)

    with pytest.raises(OSError, match="No such device or address"):
        Sink(str(path), 2)
