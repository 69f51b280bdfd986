"""Ways of one's own, for a master in one's own program."""

import sys
from pathlib import Path

from conftest import Serve

PROGRAM = """#!{python}
import sys
from tiamat.config import Config
from tiamat.master.arbiter import Arbiter
from tiamat.master.ways import Ways

class Own(Ways):
    def manage_workers(self):
        self.arbiter.log.info("managing %d", len(self.server.WORKERS))
        super().manage_workers()

config = Config.load(["apps.pid:app", *sys.argv[1:]], {{}}, ".")
config.enter()
sys.exit(Arbiter(config, Own).run())
"""


def test_what_the_loop_does_may_be_done_in_other_ways(
    serve: Serve, tmp_path: Path
) -> None:
    """And what is not replaced is done as ever."""
    path = tmp_path / "program"
    path.write_text(PROGRAM.format(python=sys.executable))
    path.chmod(0o755)
    server = serve("", program=str(path))

    assert server.get().text.isdecimal()
    server.wait_for_log("managing 0")
    server.wait_for_log("managing 1")
    assert 0 == server.stop()
