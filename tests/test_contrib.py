"""What lies in contrib/ works where it is meant to work."""

import subprocess
from pathlib import Path

import pytest
from programs import need

SYSTEMD = Path(__file__).resolve().parent.parent / "contrib" / "systemd"
OLD = SYSTEMD / "before-253"
SOCKETS = ["tiamat.socket", "tiamat@.socket"]
SERVICES = ["tiamat.service", "tiamat@.service"]

TOO_NEW = "Failed to parse service type, ignoring: notify-reload"
"""What systemd before 253 says of a service type that it does not know."""


def run(*command: str) -> tuple[int, str]:
    """The exit status of a command, and what it had to say."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_units_are_all_there() -> None:
    """A service and a socket for one site and for one of several, old and new."""
    names = [path.name for path in SYSTEMD.iterdir() if path.is_file()]

    assert sorted(SOCKETS + SERVICES) == sorted(names)
    assert sorted(SERVICES) == sorted(path.name for path in OLD.iterdir())


@pytest.mark.parametrize("services", [SYSTEMD, OLD], ids=["new", "old"])
@pytest.mark.parametrize(
    "name", ["tiamat.service", "tiamat.socket", "tiamat@a.service", "tiamat@a.socket"]
)
def test_systemd_accepts_the_units(name: str, services: Path, tmp_path: Path) -> None:
    """
    systemd-analyze verify has nothing to say about a unit, but that it is too new.

    It wants the command to exist, which here does not; so another stands in.
    """
    program = need("systemd-analyze")
    units = [SYSTEMD / name for name in SOCKETS] + [services / n for n in SERVICES]
    for unit in units:
        text = unit.read_text()
        for site in ("site", "%i"):
            text = text.replace(f"/srv/{site}/.venv/bin/tiamat", "/bin/true")
        (tmp_path / unit.name).write_text(text)

    status, said = run(program, "verify", "--man=no", str(tmp_path / name))

    version = int(run(program, "--version")[1].split()[1])
    known = TOO_NEW if services is SYSTEMD and version < 253 else None
    ours = [line for line in said.splitlines() if "tiamat" in line]
    assert (0, []) == (status, [li for li in ours if not (known and known in li)])


@pytest.mark.parametrize("folder", [SYSTEMD, OLD], ids=["new", "old"])
@pytest.mark.parametrize("name", SERVICES)
def test_the_units_are_hardened(name: str, folder: Path) -> None:
    """systemd calls their exposure 2.0 at most, of 10."""
    program = need("systemd-analyze")
    status, said = run(
        *(program, "security", "--offline=true", "--threshold=20", "--no-pager"),
        str(folder / name),
    )

    assert 0 == status, said


@pytest.mark.parametrize("name", SERVICES)
def test_old_and_new_units_differ_in_what_they_must(name: str) -> None:
    """In how systemd is told, and in what an old one would not understand."""
    both = [
        {
            line
            for line in (folder / name).read_text().splitlines()
            if line and not line.startswith("#")
        }
        for folder in (SYSTEMD, OLD)
    ]
    differences = {line.split("=")[0] for line in both[0] ^ both[1]}

    assert differences <= {"Type", "ExecReload", "FileDescriptorStoreMax"}
