"""What ``tiamatctl`` prints of the status, for people."""

import pytest

from tiamat.tables import latency, length, running, size, status_lines

WORKER = {
    "slot": 0,
    "pid": 11,
    "generation": 1,
    "state": "serving",
    "due": "",
    "seconds": 3.0,
    "requests": 12,
    "took": 0.6,
    "connections": 1,
    "in_flight": 0,
    "memory": 20 << 20,
    "request": None,
}

STATUS = {
    "version": "1.2",
    "pid": 10,
    "seconds": 3700.0,
    "application": "app:app",
    "listeners": ["http://127.0.0.1:8000"],
    "target": 2,
    "serving": 1,
    "generation": 2,
    "stopping": False,
    "reloading": False,
    "last_reload": None,
    "requests": 17,
    "molds": [],
    "helper": None,
    "workers": [
        WORKER,
        WORKER
        | {
            "slot": 1,
            "pid": 12345,
            "state": "draining",
            "due": "reload",
            "in_flight": 1,
            "request": {"method": "GET", "path": "/slow", "seconds": 1.25},
        },
    ],
}


def test_status_is_a_table() -> None:
    """Who it is, where it listens, and its workers below each other."""
    assert [
        "Tiamat 1.2, pid 10, up 1h 1m, serving app:app, 1 of 2 workers, generation 2,"
        " 17 requests",
        "http://127.0.0.1:8000",
        "",
        "SLOT    PID  GEN  STATE              AGE  REQUESTS  LATENCY  CONN  RUN  MEMORY"
        "  NOW",
        "   0     11    1  serving             3s        12   50.0ms     1    0   20.0M"
        "  -",
        "   1  12345    1  draining (reload)   3s        12   50.0ms     1    1   20.0M"
        "  GET /slow 1.2s",
    ] == list(status_lines(STATUS))


@pytest.mark.parametrize(
    ("change", "end"),
    [
        ({"stopping": True, "reloading": True}, ", stopping"),
        ({"reloading": True, "last_reload": "committed"}, ", reloading"),
        ({"last_reload": "rolled back"}, ", last reload rolled back"),
    ],
)
def test_its_first_line_says_what_goes_on(change: dict[str, object], end: str) -> None:
    """What matters most, if several things do."""
    assert next(iter(status_lines(STATUS | change))).endswith(end)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.9, "0s"), (59, "59s"), (60, "1m 0s"), (86400 * 3 + 3600 * 4 + 59, "3d 4h")],
)
def test_a_length_has_two_units(seconds: float, text: str) -> None:
    """More would be noise."""
    assert text == length(seconds)


def test_a_path_commands_no_terminal() -> None:
    """A client chose it: no escape reaches the terminal."""
    request = {"method": "GET", "path": "/\x1b[2J\x9b1m", "seconds": 2.0}

    assert "GET /?[2J?1m 2.0s" == running(WORKER | {"request": request})


def test_who_is_beside_the_workers_has_a_line() -> None:
    """Molds, and the helper that answers on ``status_bind``."""
    mold = {"pid": 12, "generation": 2, "state": "ready", "seconds": 61.0}
    helper = {"pid": 13, "seconds": 5.0, "listeners": ["http://127.0.0.1:9100"]}
    lines = [*status_lines(STATUS | {"molds": [mold], "helper": helper})]

    assert [
        "",
        "mold gen=2 pid=12, ready, 1m 1s",
        "status helper pid=13, http://127.0.0.1:9100, 5s",
    ] == lines[-3:]


@pytest.mark.parametrize(
    ("took", "requests", "text"),
    [(0.0, 0, "-"), (0.5, 100, "5.0ms"), (30.0, 4, "7.5s")],
)
def test_a_latency_is_an_average(took: float, requests: int, text: str) -> None:
    """Of no requests there is none."""
    assert text == latency(took, requests)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (1000, "1000"),
        (2048, "2.0K"),
        (24536678, "23.4M"),
        (3 << 30, "3.0G"),
    ],
)
def test_sizes_are_short(count: int | None, text: str) -> None:
    """In the unit that suits them."""
    assert text == size(count)
