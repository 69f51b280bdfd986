"""Who processes run as, what they may use, how they end."""

import errno
import os
import pty
import pwd
import signal
import subprocess
import sys

import pytest

from tiamat.system import process

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")

PRELUDE = "import os, sys\nfrom tiamat.system.process import *\n"


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run *code* in a process without a terminal, which may be ruined."""
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def ended(code: str) -> int:
    """The status, as waitpid says it, of a process that ran *code*."""
    command = [sys.executable, "-c", "import os, signal; " + code]
    pid = os.posix_spawn(sys.executable, command, os.environ)
    return os.waitpid(pid, 0)[1]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "exited"),
        ("os._exit(3)", "exited with status 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "killed by SIGTERM"),
    ],
)
def test_the_end_of_a_process_is_told_in_words(code: str, words: str) -> None:
    """Signals have their names."""
    assert words == process.status_in_words(ended(code))


@linux
def test_a_realtime_signal_has_its_number() -> None:
    """Those between the first and the last have no name."""
    number = signal.SIGRTMIN + 3
    status = ended(f"os.kill(os.getpid(), {number})")

    assert f"killed by signal {number}" == process.status_in_words(status)


def test_a_core_dump_is_mentioned() -> None:
    """It is where to look next."""
    status = signal.SIGSEGV | 0x80  # wait(2): the bit beside the signal

    assert process.status_in_words(status) == "killed by SIGSEGV (core dumped)"


@linux
def test_processors_are_those_of_the_affinity() -> None:
    """Who is bound to one of many has one."""
    code = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"

    assert run(f"{code}; print(available_cpus())").stdout == "1\n"


def test_the_descriptor_limit_is_raised() -> None:
    """To the hard one, since every connection needs one."""
    done = run(
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128))\n"
        "print(raise_descriptor_limit(), resource.getrlimit(resource.RLIMIT_NOFILE))"
    )

    assert done.stdout == "128 (128, 128)\n"


def test_to_stay_who_one_is_needs_no_privilege() -> None:
    """The same user and group may be set by anybody."""
    process.set_privileges(os.geteuid(), os.getegid())


@root_only
def test_root_becomes_another_user_for_good() -> None:
    """With every id, and without root's other groups."""
    done = run(
        "os.setgroups([0, 4])\n"
        "set_privileges(65534, 65533)\n"
        "print(os.getresuid(), os.getresgid(), os.getgroups())\n"
        "os.setuid(0)"
    )

    assert done.stdout == f"{(65534,) * 3} {(65533,) * 3} []\n"
    assert "PermissionError" in done.stderr


@root_only
def test_the_groups_of_the_user_are_there_on_request() -> None:
    """With initgroups they are those of /etc/group, and the one that was given."""
    done = run(
        "set_privileges(65534, 65533, initgroups=True)\n"
        "print(sorted(os.getgroups()) == sorted(set(os.getgrouplist("
        "name_of(65534), 65533))))"
    )

    assert done.stdout == "True\n"


@root_only
def test_who_is_not_root_becomes_nobody_else() -> None:
    """It is an error, never ignored."""
    done = run("set_privileges(65534, 65534); set_privileges(65533, 65534)")

    assert f"PermissionError: [Errno {errno.EPERM}]" in done.stderr


def test_a_user_has_a_name_or_a_number() -> None:
    """Containers run as users that nobody has heard of."""
    uid = os.getuid()
    unknown = next(n for n in range(2_000_000_000, 0, -1) if not known(n))

    assert process.name_of(unknown) == str(unknown)
    if known(uid):
        assert pwd.getpwuid(uid).pw_name == process.name_of(uid)


def known(uid: int) -> bool:
    """Whether the user is in the machine's list."""
    return any(uid == entry.pw_uid for entry in pwd.getpwall())


def test_a_title_without_its_package_is_no_error() -> None:
    """The package setproctitle is a wish."""
    done = run("sys.modules['setproctitle'] = None; set_title('x'); print('on')")

    assert done.stdout == "on\n"


@linux
def test_a_title_is_what_ps_shows() -> None:
    """If the package is there."""
    pytest.importorskip("setproctitle")
    done = run("set_title('tiamat: x'); print(open('/proc/self/cmdline').read())")

    assert done.stdout.startswith("tiamat: x")


@pytest.mark.parametrize("status", [0, 4])
def test_a_daemon_tells_the_status_of_the_command(status: int) -> None:
    """The command ends when the daemon says so, and as it says."""
    done = run(f"writer = daemonize(); os.write(writer, bytes([{status}]))")

    assert status == done.returncode


def test_a_daemon_that_dies_fails_the_command() -> None:
    """Who dies in silence does not serve."""
    assert run("daemonize(); os._exit(0)").returncode == 1


def test_a_daemon_is_on_its_own() -> None:
    """It has a session that it does not lead, and reads nothing."""
    done = run(
        "sid = os.getsid(0)\n"
        "writer = daemonize()\n"
        "print(os.getsid(0) != sid, os.getsid(0) != os.getpid())\n"
        "print(repr(sys.stdin.read()), os.get_inheritable(writer))"
    )

    assert done.stdout == "True True\n'' False\n"


def test_nothing_is_printed_once_the_output_is_let_go() -> None:
    """What came before is there; children print into nothing too."""
    done = run(
        "print('before', flush=True)\n"
        "detach_output()\n"
        "print('after', flush=True)\n"
        "os.system('echo child; echo child >&2')\n"
        "raise SystemExit('error')"
    )

    assert ("before\n", "") == (done.stdout, done.stderr)


def test_without_a_terminal_nobody_is_in_the_foreground() -> None:
    """Services have none."""
    assert run("print(in_foreground())").stdout == "False\n"


def test_who_has_the_keys_is_in_the_foreground() -> None:
    """A process in the background of the same terminal is not."""
    master, slave = pty.openpty()
    done = run(
        "terminal = os.open(sys.argv[1], os.O_RDWR)\n"  # a leader's first: it has it
        "print(in_foreground(), flush=True)\n"
        "if (pid := os.fork()) == 0:\n"
        "    os.setpgid(0, 0)\n"
        "    print(in_foreground(), flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(pid, 0)",
        os.ttyname(slave),
    )
    os.close(master)
    os.close(slave)

    assert done.stdout == "True\nFalse\n"


def test_exit_functions_run_before_a_hard_exit() -> None:
    """Threads are joined first, then atexit's functions run, then output is out."""
    done = run(
        "def work():\n"
        "    threading.main_thread().join(0.01)\n"
        "    print('thread')\n"
        "threading.Thread(target=work).start()\n"
        "atexit.register(print, 'function')\n"
        "run_exit_functions()\n"
        "os._exit(0)"
    )

    assert done.stdout == "thread\nfunction\n"


def test_a_failing_exit_function_stops_no_other() -> None:
    """It is shown, and the rest runs."""
    done = run(
        "atexit.register(print, 'function')\n"
        "atexit.register(lambda: 1 / 0)\n"
        "run_exit_functions()\n"
        "os._exit(0)"
    )

    assert done.stdout == "function\n"
    assert "ZeroDivisionError" in done.stderr


@linux
def test_private_memory_is_what_is_shared_with_nobody() -> None:
    """A forked process has what it writes to, and not what it only inherits."""
    done = run(
        "before = private_memory()\n"
        "kept = os.urandom(64 << 20)\n"
        "grown = private_memory()\n"
        "if os.fork() == 0:\n"
        "    print(before, grown, private_memory(), flush=True)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    before, grown, forked = map(int, done.stdout.split())

    assert grown - before >= 64 << 20
    assert forked < grown - (60 << 20)


@linux
def test_who_adopts_orphans_is_their_parent() -> None:
    """A grandchild whose parent has ended is ours, and reaped by us."""
    done = run(
        """
adopt_orphans()
told, tell = os.pipe()
gone, go = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.close(go)
        os.read(gone, 1)
        os.write(tell, str(os.getppid()).encode())
        os._exit(5)
    os._exit(0)
os.wait()
os.close(go)
print(os.read(told, 20).decode() == str(os.getpid()), os.wait()[1] >> 8)
"""
    )

    assert "True 5\n" == done.stdout + done.stderr


@linux
def test_who_dies_with_its_parent_is_gone_with_it() -> None:
    """Whatever it does; the pipe that only it holds comes to its end."""
    done = run(
        """
end, mine = os.pipe()
told, tell = os.pipe()
if (parent := os.fork()) == 0:
    parent = os.getpid()
    if os.fork() == 0:
        die_with_parent(parent)
        os.write(tell, b"ready")
        signal.pause()
    signal.pause()
os.close(mine)
os.read(told, 5)
os.kill(parent, signal.SIGKILL)
print(os.read(end, 1))
"""
    )

    assert "b''\n" == done.stdout + done.stderr


@linux
def test_who_has_lost_its_parent_already_ends_at_once() -> None:
    """The kernel would never tell."""
    done = run("die_with_parent(1234567)\nprint('still here')")

    assert (0, "") == (done.returncode, done.stdout + done.stderr)


@linux
def test_the_kernel_may_refuse() -> None:
    """Then it is an error with a number, as from any system call."""
    with pytest.raises(OSError, match="Invalid argument") as caught:
        process.prctl(-1, 0)

    assert errno.EINVAL == caught.value.errno
