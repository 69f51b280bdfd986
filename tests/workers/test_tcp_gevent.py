"""Worker scripts in a process that gevent has patched."""

import pytest
from conftest import Serve


@pytest.mark.parametrize("kind", ["streams", "asgi"])
def test_what_needs_a_loop_is_refused(serve: Serve, kind: str) -> None:
    """With the cure."""
    server = serve(f"apps.servers.kinds:{kind}", "-k", "tcp-gevent")

    assert 4 == server.wait_for_exit()
    assert "leave out -k gevent" in server.log + server.output


def test_a_script_for_gevent_says_so(serve: Serve) -> None:
    """Other workers run no scripts."""
    server = serve("", "--script=apps.servers.kinds:gevents", "-k", "gevent")
    server.wait_for_log("serves by a server of gevent's")

    other = serve("", "--script=apps.servers.kinds:gevents", "-k", "sync")

    assert 1 == other.wait_for_exit()
    assert "runs no worker script" in other.output
