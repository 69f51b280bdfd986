"""
A certificate for this machine alone, for development.

It is kept in a directory of the user's own, so that all workers show the same one,
and a browser that was told to trust it is not asked again after each start.
"""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from tiamat.errors import TLSError

NAMES: Final = ("localhost", "127.0.0.1", "::1")

NEEDED: Final = "--dev-tls needs trustme: pip install 'tiamat-server[dev-tls]'"


def dev_certificate(parent: str = "") -> tuple[str, str]:
    """
    The file of a certificate with its key, and that of who has signed it.

    They are made if need be, in a directory of our own below *parent*.

    Raises:
        TLSError: they can't be made; the text says what is missing.
    """
    directory = private_directory(Path(parent or tempfile.gettempdir()))
    pair = directory / "pair"
    if not pair.exists():
        make(directory, pair)
    return str(pair / "localhost.pem"), str(pair / "authority.pem")


def private_directory(parent: Path) -> Path:
    """
    A directory that nobody else can write into or read.

    Raises:
        TLSError: somebody else has made it first.
    """
    path = parent / f"tiamat-dev-{os.geteuid()}"
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        status = path.lstat()
        ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
        if not ours or status.st_mode & 0o077:
            raise TLSError(
                f"--dev-tls: {path} is not a directory of ours alone; remove it"
            ) from None
    except OSError as error:
        raise TLSError(f"--dev-tls: {path}: {error.strerror}") from None
    return path


def make(directory: Path, pair: Path) -> None:
    """Make both, or nothing: several workers may do so at once."""
    try:
        import trustme
    except ImportError:
        raise TLSError(NEEDED) from None
    authority = trustme.CA(organization_name="Tiamat, for development only")
    cert = authority.issue_cert(*NAMES)
    with tempfile.TemporaryDirectory(dir=directory) as beside:
        made = Path(beside) / "pair"
        made.mkdir(mode=0o700)
        cert.private_key_and_cert_chain_pem.write_to_path(str(made / "localhost.pem"))
        authority.cert_pem.write_to_path(str(made / "authority.pem"))
        with suppress(OSError):  # another one was faster: what that made is as good
            made.rename(pair)
