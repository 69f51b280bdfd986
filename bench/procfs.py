"""What Linux says about processes: their families, their CPU time, their memory."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def family(pid: int) -> list[int]:
    """Return *pid* and all its living descendants."""
    found = [pid]
    for parent in found:  # grows while it is walked
        for children in PROC.glob(f"{parent}/task/*/children"):
            found += map(int, read(children).split())
    return found


def cpu_time(pid: int) -> int:
    """
    Return the CPU time of a process's living threads, in nanoseconds.

    Source: Linux, Documentation/scheduler/sched-stats.rst: the first number of
    schedstat is the time spent on the CPU. Unlike /proc/PID/stat it is not
    counted in ticks of 10 ms.
    """
    return sum(
        int(text.split()[0])
        for path in PROC.glob(f"{pid}/task/*/schedstat")
        if (text := read(path))
    )


def memory(pid: int) -> dict[str, int]:
    """Return the rows of a process's smaps_rollup, in kB."""
    rows = {}
    for line in read(PROC / str(pid) / "smaps_rollup").splitlines()[1:]:
        name, size, _ = line.split()
        rows[name.rstrip(":")] = int(size)
    return rows


def pss(pid: int) -> int:
    """Return the memory of a process, shared pages divided by sharers, in kB."""
    return memory(pid).get("Pss", 0)


def private(pid: int) -> int:
    """Return the memory that would be freed if the process ended, in kB."""
    rows = memory(pid)
    return rows.get("Private_Clean", 0) + rows.get("Private_Dirty", 0)


def read(path: Path) -> str:
    """Read a file of a process that may just have ended; then "" ."""
    try:
        return path.read_text()
    except OSError:
        return ""
