"""What a helper does in its own process; how masters keep them: ``test_crew``."""

import os
import subprocess
import sys

import pytest

BE = """
import os, sys
from tiamat.config import Config
from tiamat.observe.log import Log
from tiamat.workers import beside

def good():
    print("called", os.getsid(0) == os.getpid(), flush=True)

async def soon():
    print("awaited", flush=True)

def leaves():
    sys.exit("enough")

master = os.getpid()
if os.fork() == 0:
    sys.modules["here"] = sys.modules["__main__"]
    beside.be("one", sys.argv[1], Config(), Log(), os.dup(1), master)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.mark.parametrize(
    ("what", "printed"),
    [
        ("here:good", "called True\n0\n"),
        ("here:soon", "awaited\n0\n"),
        ("here:leaves", "1\n"),
        ("here:none", "1\n"),
        ("echo 'a b' $HOME", "a b $HOME\n0\n"),
        ("sh -c 'kill -PIPE $$'", "-13\n"),
        (
            "/nowhere/at-all",
            "can't run /nowhere/at-all: No such file or directory\n127\n",
        ),
    ],
)
def test_it_is_a_command_or_calls_a_function(what: str, printed: str) -> None:
    """And ends with its status; Python's ignored signals are the command's again."""
    done = subprocess.run(
        [sys.executable, "-c", BE, what],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=False,
    )

    assert printed == done.stdout, done.stderr
