"""What systemd hands over."""

import os

from tiamat.system.systemd import listen_fds


def test_descriptors_come_with_their_names() -> None:
    """sd_listen_fds(3): they begin at 3; LISTEN_FDNAMES has a name for each."""
    environ = {
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": "2",
        "LISTEN_FDNAMES": "http:admin",
    }

    assert listen_fds(environ) == [(3, "http"), (4, "admin")]


def test_names_are_unknown_if_not_given() -> None:
    """A descriptor without a name is called "unknown", as by systemd."""
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}

    assert listen_fds(environ) == [(3, "unknown")]


def test_what_was_meant_for_another_process_is_left() -> None:
    """Descriptors are ours only if LISTEN_PID is."""
    assert listen_fds({"LISTEN_PID": "1", "LISTEN_FDS": "1"}) == []
    assert listen_fds({"LISTEN_FDS": "1"}) == []
    assert listen_fds({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"}) == []
    assert listen_fds({}) == []


def test_the_variables_are_taken_out() -> None:
    """No process that we start believes that the descriptors are meant for it."""
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x", "A": "b"}

    listen_fds(environ)

    assert environ == {"A": "b"}
