"""What control groups allow, and what they did."""

import sys
from pathlib import Path

import pytest

from tiamat.system import cgroup

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux has control groups")


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("100000 100000\n", 1),
        ("150000 100000\n", 2),
        ("1000 100000\n", 1),
        ("800000 100000\n", 8),
        ("max 100000\n", None),
        ("", None),
    ],
)
def test_a_quota_is_rounded_up(tmp_path: Path, text: str, quota: int | None) -> None:
    """A processor and a half keep two workers busy."""
    (tmp_path / "cpu.max").write_text(text)

    assert quota == cgroup.quota_of(tmp_path, version_2=True)


@pytest.mark.parametrize(("limit", "quota"), [(250_000, 3), (-1, None)])
def test_an_old_cgroup_has_a_quota_too(
    tmp_path: Path, limit: int, quota: int | None
) -> None:
    """Version 1 has a file for each number; -1 is no limit."""
    (tmp_path / "cpu.cfs_quota_us").write_text(f"{limit}\n")
    (tmp_path / "cpu.cfs_period_us").write_text("100000\n")

    assert quota == cgroup.quota_of(tmp_path, version_2=False)


@linux
def test_the_smallest_quota_above_counts(tmp_path: Path) -> None:
    """A group has no more than the ones that it is in."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = tmp_path / "cpu" if controllers else tmp_path
        here = top / group.lstrip("/")
        here.mkdir(parents=True, exist_ok=True)
        for directory, limit in ((here, 700_000), (top, 300_000)):
            (directory / "cpu.max").write_text(f"{limit} 100000")
            (directory / "cpu.cfs_quota_us").write_text(f"{limit}")
            (directory / "cpu.cfs_period_us").write_text("100000")

    assert cgroup.quota(tmp_path) == 3


def test_without_cgroups_there_is_no_quota(tmp_path: Path) -> None:
    """Neither the files nor the process need to be there."""
    assert cgroup.quota(tmp_path) is None
    assert cgroup.quota(tmp_path, pid="nobody") is None


def own_groups(root: Path, name: str, text: str) -> None:
    """Give our own groups under *root* this file."""
    for here, _, _ in cgroup.groups("memory", root):
        here.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)


@linux
def test_what_the_kernel_killed_is_counted(tmp_path: Path) -> None:
    """Version 2 and version 1 say it in files of their own."""
    text = "low 0\noom 9\noom_kill 3\noom_group_kill 1\n"
    own_groups(tmp_path, "memory.events", text)
    own_groups(tmp_path, "memory.oom_control", text)

    assert 3 == cgroup.oom_kills(tmp_path)


def test_without_cgroups_nothing_was_killed(tmp_path: Path) -> None:
    """Nor where a kernel does not count."""
    assert 0 == cgroup.oom_kills(tmp_path)
    assert 0 == cgroup.oom_kills(tmp_path, "0")
