"""HUP from the trial to the commit: what is new is in force, or nothing is."""

import signal
from pathlib import Path

from conftest import Serve


def test_a_candidate_that_dies_leaves_all_as_it_was(
    serve: Serve, tmp_path: Path
) -> None:
    """The settings, the workers and the addresses."""
    server = serve("apps.pid:app", "--config=tiamat.conf.py", config="workers = 1\n")
    before = server.get().text
    server.config_path.write_text(
        f"bind = ['fd://{server.listener.fileno() if server.listener else 0}',"
        f" 'unix:{tmp_path}/new']\n"
        "workers = 2\n"
        "def post_fork(server, worker):\n"
        "    raise SystemExit(3)\n"
    )
    server.signal(signal.SIGHUP)
    server.wait_for_log("reload refused, going on as before: boot failed: the first")

    assert before == server.get().text
    assert [int(before)] == server.workers()
    assert not (tmp_path / "new").exists()
