"""Says each line that is executed."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
from tiamat.compat.gunicorn import debug

def work(number):
    double = number * 2
    return double

debug.spew(trace_names=("__main__",), show_values={values})
work(4)
debug.unspew()
work(5)
"""


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (False, ["double = number * 2", "return double"]),
        (True, ["double = number * 2", "number=4", "return double", "double=8"]),
    ],
)
def test_lines_are_said(tmp_path: Path, values: bool, expected: list[str]) -> None:
    """Those of the modules that are meant, until it ends; their values if wanted."""
    path = tmp_path / "program.py"
    path.write_text(CODE.format(values=values))

    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, check=True
    )

    found = [line.split(":")[-1].strip() for line in done.stdout.splitlines()]
    assert expected == found
