"""See that our modules of gunicorn's names have what types-gunicorn says they have."""

import sys
from pathlib import Path

from mypy import stubtest

from tiamat.compat import shim

HERE = Path(__file__).parent

ARGUMENTS = [
    "--concise",
    "--ignore-missing-stub",  # ours may have more
    "--ignore-unused-allowlist",  # versions of Python and of the stubs differ
    f"--mypy-config-file={HERE.parent / 'setup.cfg'}",
    f"--allowlist={HERE / 'stubtest.txt'}",
    "gunicorn",
]

if __name__ == "__main__":
    shim.install(force=True)
    sys.exit(stubtest.test_stubs(stubtest.parse_options(ARGUMENTS)))
