"""Programs from Debian that some tests need beside Python."""

import os
import shutil

import pytest


def need(program: str) -> str:
    """
    Return the path of *program*; without it the test is skipped.

    In CI it fails instead: there scripts/test has to install it.
    """
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        message = f"{program} is not installed; scripts/test installs it where it may"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path
