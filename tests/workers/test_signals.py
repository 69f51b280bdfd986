"""The signals of a worker."""

import subprocess
import sys

PROGRAM = """
import signal
from types import SimpleNamespace
from tiamat.workers import signals

heard = []
worker = SimpleNamespace(stacks=2)
for method in set(signals.CAUGHT.values()):
    setattr(worker, method, lambda number, frame, method=method: heard.append(method))
signals.install(worker)
for number in (*signals.IGNORED, *signals.CAUGHT):
    signal.raise_signal(number)
print(*heard)
signals.uninstall()
print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""


def test_each_signal_reaches_its_method_and_the_masters_are_ignored() -> None:
    """
    TERM, INT, QUIT, ABRT and USR1 are a worker's; HUP and the like do nothing.
    """
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True
    )

    expected = "handle_term handle_quit handle_quit handle_abort handle_usr1\nTrue\n"
    assert expected == output.stdout
