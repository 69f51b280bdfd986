"""Processes: who they run as, what they are called, how they ended."""

import atexit
import contextlib
import errno
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Final

from tiamat.system import cgroup

# linux/prctl.h
PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36


def available_cpus() -> int:
    """
    How many processors this process may use.

    The smaller of its affinity and its cgroup quota, rounded up: a container with
    1.5 of 64 processors has two.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    quota = cgroup.quota()
    return count if quota is None else max(1, min(count, quota))


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one; return what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # macOS: the kernel's own limit is lower
            return soft
    return hard


def set_privileges(uid: int, gid: int, *, initgroups: bool = False) -> None:
    """
    Run as this user and group from now on.

    Root's other groups are left behind, for which gunicorn needs --initgroups. The
    group changes first: who is not root any more may not change it.

    Raises:
        PermissionError: only root may, or the way back to root is open.
    """
    if (uid, gid) == (os.geteuid(), os.getegid()):
        return
    if os.geteuid() == 0:
        if initgroups:
            os.initgroups(name_of(uid), gid)
        else:
            os.setgroups([])
    if gid != os.getegid():
        os.setgid(gid)
    if uid != os.geteuid():
        os.setuid(uid)
    if uid:
        _must_not_be_root_again()


def _must_not_be_root_again() -> None:
    """
    See that what was given up is gone: the saved ids and CAP_SETUID with it.

    Source: capabilities(7); securebits and ambient capabilities can keep it.
    """
    for regain in (os.setuid, os.seteuid):
        try:
            regain(0)
        except PermissionError:
            continue
        raise PermissionError(errno.EPERM, "this process could become root again")


def name_of(uid: int) -> str:
    """The name of a user, or its number if it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def set_title(text: str) -> None:
    """What ``ps`` shows, if the package setproctitle is installed."""
    try:
        from setproctitle import setproctitle
    except ImportError:
        return
    setproctitle(text)


def private_memory() -> int:
    """
    The bytes that would be free if this process ended: it shares them with nobody.

    Source: https://docs.kernel.org/filesystems/proc.html, smaps_rollup (Linux 4.14).

    Raises:
        OSError: the system does not tell.
    """
    with open("/proc/self/smaps_rollup") as file:
        fields = file.read().split()
    names = "Private_Clean:", "Private_Dirty:"
    return sum(int(fields[fields.index(name) + 1]) * 1024 for name in names)


def resident_memory() -> int:
    """
    The bytes of this process that are in memory, shared ones too.

    A few microseconds, however large it is, unlike ``private_memory``. Source:
    proc_pid_statm(5).

    Raises:
        OSError: the system does not tell.
    """
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def adopt_orphans() -> None:
    """
    Become the parent of every descendant whose own parent ends. Linux only.

    Source: PR_SET_CHILD_SUBREAPER(2const); what is forked from here does not inherit
    it.

    Raises:
        OSError: the kernel does not want to.
    """
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """
    End at once when this process's parent does, whatever is under way. Linux only.

    Source: PR_SET_PDEATHSIG(2const); what is forked from here does not inherit it. An
    exec leaves it, a change of user does not.

    Args:
        parent: its pid: it may have ended already, which the kernel does not tell.
        number: the signal that comes then.
    """
    prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(0)


def prctl(option: int, value: int) -> None:
    """
    Say something to the kernel for which Python has no function.

    Raises:
        OSError: it refuses.
    """
    import ctypes  # a megabyte; few need it

    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def ended() -> Iterator[tuple[int, int]]:
    """The children that have ended since this was asked last: pid and status."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:  # there are none
            return
        if not pid:
            return
        yield pid, status


def status_in_words(status: int) -> str:
    """How a process ended, from what ``waitpid`` says: ``killed by SIGSEGV``."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:  # a real-time signal
            name = f"signal {number}"
        core = " (core dumped)" if os.WCOREDUMP(status) else ""
        return f"killed by {name}{core}"
    code = os.WEXITSTATUS(status)
    return "exited" if code == 0 else f"exited with status {code}"


def daemonize() -> int:
    """
    Go on in the background.

    The command waits for what the new process has to say, so that its exit status
    is true: who starts us in a script learns whether we serve.

    Returns:
        A descriptor: the byte written to it is the exit status of the command. If
        it is closed without one, the command fails.
    """
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        status = os.read(reader, 1)
        os._exit(status[0] if status else 1)
    os.close(reader)
    os.setsid()
    if os.fork():
        os._exit(0)  # the grandchild leads no session, so it never gets a terminal
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return writer


def detach_output() -> None:
    """Let go of the terminal: from now on nobody reads what is printed."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)


def in_foreground() -> bool:
    """Whether a terminal's keys go to this process; it also gets its WINCH."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def run_exit_functions() -> None:
    """What ``sys.exit`` would do, for a forked process that ends with ``_exit``."""
    # As multiprocessing's processes do: join threads, then atexit's functions.
    for module, name in ((threading, "_shutdown"), (atexit, "_run_exitfuncs")):
        try:
            getattr(module, name)()
        except Exception:
            traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
