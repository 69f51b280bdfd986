"""What lies in contrib/ works where it is meant to work."""

import subprocess
from pathlib import Path

import pytest
from programs import need

ROOT = Path(__file__).resolve().parent.parent
UNITS = sorted((ROOT / "contrib" / "systemd").iterdir())


def test_the_units_are_all_there() -> None:
    """There is a service, a socket for it, and a service for several sites."""
    expected = ["tiamat.service", "tiamat.socket", "tiamat@.service"]

    assert expected == [unit.name for unit in UNITS]


@pytest.mark.parametrize(
    "name", ["tiamat.service", "tiamat.socket", "tiamat@a.service"]
)
def test_systemd_accepts_the_units(name: str, tmp_path: Path) -> None:
    """
    systemd-analyze verify has nothing to say about a unit.

    It wants the command to exist, which here does not; so another stands in.
    """
    program = need("systemd-analyze")
    for unit in UNITS:
        text = unit.read_text()
        for site in ("site", "%i"):
            text = text.replace(f"/srv/{site}/.venv/bin/tiamat", "/bin/true")
        (tmp_path / unit.name).write_text(text)

    done = subprocess.run(
        [program, "verify", "--man=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )

    ours = [line for line in done.stderr.splitlines() if "tiamat" in line]
    assert (done.returncode, ours) == (0, [])
