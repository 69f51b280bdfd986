"""Bytes that outgrew memory."""

from pathlib import Path

from tiamat.system.spool import spool_file, write_all


def test_a_spool_file_has_no_name(tmp_path: Path) -> None:
    """
    It is in the directory that was asked for, and nobody can find it there.
    """
    with spool_file(str(tmp_path)) as file:
        file.write(b"abc")
        file.seek(0)

        assert b"abc" == file.read()
        assert [] == list(tmp_path.iterdir())


def test_everything_is_written() -> None:
    """
    Also what is more than one call takes.
    """
    with spool_file(None) as file:
        write_all(file, b"abc" * 100_000)

        assert 300_000 == file.tell()
