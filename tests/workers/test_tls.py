"""From settings to what connections need."""

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from authority import make_authority

from tiamat.config import Config
from tiamat.errors import TLSError
from tiamat.workers.tls import make_security

LOG: Any = logging.getLogger("tests.tls")


def test_without_certificates_there_is_none() -> None:
    """And nothing of TLS is loaded by a worker that does without."""
    assert make_security(Config(), LOG, ()) is None
    code = "import sys, tiamat.workers.threads; print('ssl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert b"False" == done.stdout.strip()


def test_settings_become_a_context(tmp_path: Path) -> None:
    """Whose files are looked at again."""
    cert = str(make_authority(tmp_path).issue("localhost"))
    made = make_security(Config(certfile=cert, suppress_ragged_eofs=False), LOG, ())

    assert made is not None
    assert not made.ragged


def test_broken_files_are_an_error() -> None:
    """Never plain text."""
    with pytest.raises(TLSError, match="certfile /nowhere"):
        make_security(Config(certfile="/nowhere"), LOG, ())
