"""Primitives of the system, with gevent's in their place and without."""

import select
import subprocess
import sys

from tiamat.system.unpatched import unpatched

PATCHED = """
import select, time
original = select.poll, time.sleep
from gevent import monkey
monkey.patch_all()
from tiamat.system.unpatched import unpatched
assert select.poll is not original[0]
assert original == (unpatched("select", "poll"), unpatched("time", "sleep"))
print("original")
"""


def test_without_patches_it_is_the_name_itself() -> None:
    """
    Nobody has patched this process.
    """
    assert select.poll is unpatched("select", "poll")


def test_with_patches_it_is_the_original() -> None:
    """
    In a process that gevent has patched.
    """
    command = [sys.executable, "-c", PATCHED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "original\n" == done.stdout
