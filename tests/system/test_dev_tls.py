"""A certificate for this machine alone."""

import os
import sys
import threading
from pathlib import Path

import pytest

from tiamat.errors import TLSError
from tiamat.system.dev_tls import dev_certificate
from tiamat.system.tls import Certificate, TLSValues, make_context, names_of


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    """For names of this machine; nobody else may read its key."""
    cert, authority = dev_certificate(str(tmp_path))
    before = Path(cert).read_bytes()

    assert (cert, authority) == dev_certificate(str(tmp_path))
    assert before == Path(cert).read_bytes()
    assert {"localhost", "127.0.0.1", "::1"} == {
        name.lower().replace("0:0:0:0:0:0:0:1", "::1")
        for name in names_of(Certificate(cert))
    }
    make_context(TLSValues(certificates=[Certificate(cert)]))
    directory = tmp_path / f"tiamat-dev-{os.geteuid()}"
    assert 0o700 == directory.stat().st_mode & 0o777
    assert ["pair"] == os.listdir(directory)


def test_workers_that_make_it_at_once_show_the_same(tmp_path: Path) -> None:
    """Whoever is faster."""
    found: list[bytes] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(
                Path(dev_certificate(str(tmp_path))[0]).read_bytes()
            )
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 4 == len(found)
    assert 1 == len(set(found))


def test_a_directory_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """They may have put a key of theirs there."""
    (tmp_path / f"tiamat-dev-{os.geteuid()}").mkdir()
    (tmp_path / f"tiamat-dev-{os.geteuid()}").chmod(0o755)

    with pytest.raises(TLSError, match="is not a directory of ours alone; remove it"):
        dev_certificate(str(tmp_path))


def test_the_package_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to install."""
    monkeypatch.setitem(sys.modules, "trustme", None)

    with pytest.raises(TLSError, match=r"pip install 'tiamat-server\[dev-tls\]'"):
        dev_certificate(str(tmp_path))
