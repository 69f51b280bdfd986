"""
What the control groups of a process allow it, and did to it.

Source: https://docs.kernel.org/admin-guide/cgroup-v2.html, and for version 1
https://docs.kernel.org/admin-guide/cgroup-v1/memory.html.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path("/sys/fs/cgroup")


def quota(root: Path = ROOT, pid: str = "self") -> int | None:
    """
    How many processors they allow, rounded up; None is no limit.

    Every group above counts too.
    """
    quotas = []
    for here, top, version_2 in groups("cpu", root, pid):
        for directory in (here, *here.parents):
            quotas.append(quota_of(directory, version_2=version_2))
            if directory == top:
                break
    return min((quota for quota in quotas if quota), default=None)


def quota_of(directory: Path, *, version_2: bool) -> int | None:
    """
    How many processors one group allows, rounded up; None is no limit.

    cpu.max is "$MAX $PERIOD" in microseconds; $MAX may be "max".
    """
    try:
        if version_2:
            limit, period = (directory / "cpu.max").read_text().split()
        else:
            limit = (directory / "cpu.cfs_quota_us").read_text()
            period = (directory / "cpu.cfs_period_us").read_text()
        return -(-int(limit) // int(period)) if int(limit) > 0 else None
    except (OSError, ValueError):  # not there, or "max"
        return None


def oom_kills(root: Path = ROOT, pid: str = "self") -> int:
    """
    How many processes of our group the kernel has killed for want of memory.

    0 also where it doesn't say. Those in groups below count too.
    """
    most = 0
    for here, _, version_2 in groups("memory", root, pid):
        name = "memory.events" if version_2 else "memory.oom_control"
        try:
            lines = (here / name).read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            key, _, value = line.partition(" ")
            if key == "oom_kill" and value.isdecimal():
                most = max(most, int(value))
    return most


def groups(
    controller: str, root: Path, pid: str = "self"
) -> Iterator[tuple[Path, Path, bool]]:
    """
    The groups of a process that may have to do with *controller*.

    Returns:
        Directory, the top of its hierarchy, and whether that is version 2.
    """
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = root / controller if controllers else root
        yield top / group.lstrip("/"), top, not controllers
