"""The bench measures what it says it measures."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest
from running import wait_until
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side
from websockets.sync.server import ServerConnection, serve

from bench import chart, client, procfs, promises, report, wrk, ws_client, ws_frames
from bench.measure import Load, Memory, Slow
from bench.peers import GROUPS, SERVERS
from bench.results import Results, base_of, median, ratio
from bench.run import file_name, parse
from bench.scenarios import SCENARIOS


def load(cpu_us: float) -> Load:
    """Figures of which only the CPU time matters."""
    return Load(cpu_us, 1000.0, 1.5, 10.0, 20.0, 0, 0)


def results() -> Results:
    """A run of two servers and all kinds of measurement."""
    return Results(
        about={
            "date": "2026-01-01",
            "group": "WSGI",
            "python": "3.11.9",
            "interpreter": "/usr/bin/python3.11",
            "versions": {"tiamat-server": "1.0", "granian": "2.8"},
            "processor": "P",
            "cores": 2,
            "kernel": "6.1",
        },
        load={"hello": {"granian": [load(20.0)], "tiamat": [load(10.0)]}},
        memory={"tiamat": [Memory(2000, 1024.0)], "gunicorn": [Memory(0, None)]},
        slow={"/big": {"tiamat": [Slow(0.2, 0.3, 1.0, 3.5, 200, 0)]}},
        failures={"bjoern": "does not build"},
    )


def test_the_family_of_a_process_includes_grandchildren() -> None:
    """
    A server's CPU time is that of all its processes.
    """
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        while len(family := procfs.family(os.getpid())) < 3:
            assert child.poll() is None
        assert child.stdin is not None
        child.stdin.close()

    assert [os.getpid(), child.pid] == family[:2]


def test_cpu_time_is_that_of_the_scheduler() -> None:
    """
    Work shows in it, in nanoseconds, as soon as the scheduler has looked.
    """
    before = procfs.cpu_time(os.getpid())

    def has_worked() -> bool:
        sum(range(100_000))
        return procfs.cpu_time(os.getpid()) - before > 100_000

    wait_until(has_worked, "the work shows")

    assert procfs.cpu_time(os.getpid()) - before < 60_000_000_000


def test_a_process_that_has_ended_has_no_memory_and_no_time() -> None:
    """
    A worker may end between the listing of its family and the look at it.
    """
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass

    assert (
        procfs.cpu_time(child.pid),
        procfs.pss(child.pid),
        procfs.private(child.pid),
    ) == (0, 0, 0)


def test_private_memory_grows_with_what_is_kept() -> None:
    """
    Memory per connection is the growth of the worker's private pages.
    """
    # In a process of its own: this one may give memory back meanwhile.
    code = (
        "import mmap, os\n"
        "from bench import procfs\n"
        "before = procfs.private(os.getpid())\n"
        "kept = mmap.mmap(-1, 8 << 20)\n"
        "kept.write(b'x' * (8 << 20))\n"
        "print(procfs.private(os.getpid()) - before)\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        check=True,
        text=True,
    )

    assert (8 << 10) * 0.9 < int(output.stdout)


def test_the_figures_of_wrk_are_found_in_its_output() -> None:
    """
    wrk prints a report of its own before them.
    """
    output = (
        "Running 1s test\n  10 requests\n\nFIGURES "
        '{"requests": 10, "seconds": 1.0, "errors": 0, "p50_ms": 1, "p99_ms": 2}\n'
    )

    assert wrk.Figures(10, 1.0, 0, 1, 2) == wrk.figures(output)


def test_wrk_that_fails_is_an_error_with_its_words() -> None:
    """
    It is not a server that answers nothing.
    """
    with pytest.raises(RuntimeError, match="unable to connect"):
        wrk.figures("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_ratios_are_taken_within_each_round() -> None:
    """
    A round in which the machine was slow counts the same.
    """
    loads = {
        "tiamat": [load(10), load(30), load(11)],
        "granian": [load(20), load(60), load(22)],
    }
    expected = 0.5

    assert expected == ratio(loads, "tiamat", "granian")
    assert load(11) == median(loads["tiamat"])


def test_the_report_has_a_table_for_each_measurement() -> None:
    """
    Ratios are to Tiamat; what could not be measured is named.
    """
    text = report.report(results())

    assert "| granian |           20.0 |          0.50 |" in text
    assert "| tiamat   |      1,024 |          2000 |" in text
    assert "| gunicorn | keeps none |             0 |" in text
    assert "+2.50" in text
    assert "bjoern: left out, does not build" in text


def test_the_chart_is_svg_with_a_bar_for_each_server() -> None:
    """
    Its bars are as long as their figures say.
    """
    root = ElementTree.fromstring(chart.chart(results()))  # noqa: S314 - our own
    bars = root.findall("{http://www.w3.org/2000/svg}rect")
    widths = [float(bar.attrib["width"]) for bar in bars]

    assert [bar.attrib["class"] for bar in bars] == ["tiamat", "peer"]
    assert pytest.approx(2.0, rel=0.01) == widths[1] / widths[0]


def test_the_results_are_kept_as_json(tmp_path: Path) -> None:
    """
    Medians first, and every round, so that others can do their own sums.
    """
    results().write(tmp_path / "deep" / "figures.json")
    whole = json.loads((tmp_path / "deep" / "figures.json").read_text())

    expected = [10.0, 20.0]
    assert expected == [
        whole["medians"]["hello"]["tiamat"]["cpu_us"],
        whole["rounds"]["load"]["hello"]["granian"][0]["cpu_us"],
    ]


def test_a_partial_run_does_not_replace_the_published_figures() -> None:
    """
    Only a whole run writes to docs/.
    """
    assert parse([]).output.name == "docs"
    assert "docs" not in parse(["--quick"]).output.parts
    assert "docs" not in parse(["--servers=granian"]).output.parts


def test_an_unknown_scenario_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """
    The error names those there are.
    """
    with pytest.raises(SystemExit):
        parse(["--scenarios=hallo"])

    assert "'hallo' is not one of hello, browser" in capsys.readouterr().err


def test_a_server_is_compared_with_the_row_of_ours_that_is_like_it() -> None:
    """
    What parses with h11 is compared with what parses with h11.
    """
    ran = ["uvicorn", "tiamat-asgi", "tiamat-h11"]

    assert "tiamat-h11" == base_of("uvicorn-h11", ran)
    assert "tiamat-asgi" == base_of("uvicorn", ran)
    assert "uvicorn" == base_of("granian-asgi", ["uvicorn", "granian-asgi"])


def test_a_table_with_several_bases_names_them() -> None:
    """
    Otherwise nobody could tell what a ratio means.
    """
    names = ("tiamat-asgi", "tiamat-h11", "uvicorn", "uvicorn-h11")
    runs = {name: [load(10.0 * i)] for i, name in enumerate(names, start=1)}
    rows = report.load_table(runs, idle=False).splitlines()

    assert rows[0].endswith("|        base |")
    assert "0.50" in rows[5]
    assert rows[5].endswith("|  tiamat-h11 |")


def test_every_group_has_servers_and_scenarios() -> None:
    """
    And every server is compared with one of its own group.
    """
    assert set(GROUPS) == {server.group for server in SERVERS.values()}
    assert set(GROUPS) == {scenario.group for scenario in SCENARIOS.values()}
    for server in SERVERS.values():
        assert SERVERS[server.base].group == server.group


def test_each_group_has_files_of_its_own() -> None:
    """
    A run of one group does not replace the figures of another.
    """
    assert "benchmarks-3.11" == file_name("3.11.2", "wsgi")
    assert "benchmarks-3.13-asgi" == file_name("3.13.0", "asgi")


def test_promises_are_chosen_by_name_or_by_group() -> None:
    """
    They are measured on our own servers unless others are named.
    """
    asgi = parse(["--promises=asgi"])
    one = parse(["--promises=sleepers", "--servers=gunicorn-gevent"])

    assert "deflated-websockets" in asgi.promises
    assert "sleepers" not in asgi.promises
    assert "tiamat-h11" in asgi.servers
    assert (["sleepers"], ["gunicorn-gevent"]) == (one.promises, one.servers)


def test_a_figure_says_whether_it_holds() -> None:
    """
    One without a bar only informs.
    """
    expected = "p99: 20.00 ms (at most 20: held)"

    assert expected == str(promises.Figure("p99", 20, 20, "ms"))
    assert str(promises.Figure("lost", 1, 0)).endswith("MISSED)")
    assert "taken: 3.00 MB" == str(promises.Figure("taken", 3, unit="MB"))


@pytest.mark.parametrize("size", [100, 300, 70_000])
def test_the_frames_of_the_websocket_client_are_websocket(size: int) -> None:
    """
    A real library reads them, and its echo begins as the client expects.
    """
    protocol = Protocol(Side.SERVER)
    protocol.receive_data(ws_frames.frame(b"x" * size))
    (frame,) = protocol.events_received()
    assert isinstance(frame, Frame)
    protocol.send_text(frame.data)

    assert b"x" * size == frame.data
    assert b"".join(protocol.data_to_send()).startswith(
        ws_frames.answer_to(b"x" * size)
    )


def test_a_compressed_frame_is_permessage_deflate() -> None:
    """
    The library inflates it.
    """
    deflate = PerMessageDeflate(False, False, 15, 15)
    protocol = Protocol(Side.SERVER)
    protocol.extensions = [deflate]
    protocol.receive_data(ws_frames.frame(b"hello " * 20, deflate=True))
    (frame,) = protocol.events_received()
    assert isinstance(frame, Frame)

    assert b"hello " * 20 == frame.data


def test_pings_are_answered_with_what_they_carry() -> None:
    """
    A server would drop a WebSocket that does not answer.
    """
    protocol = Protocol(Side.SERVER)
    protocol.send_text(b"echo")
    protocol.send_ping(b"1234")
    sent = b"".join(protocol.data_to_send())
    protocol.receive_data(ws_frames.pongs(sent))
    (frame,) = protocol.events_received()
    assert isinstance(frame, Frame)

    assert (Opcode.PONG, b"1234") == (frame.opcode, frame.data)


def test_the_websocket_client_counts_echoes_and_errors() -> None:
    """
    A connection that answers something else is an error, not an echo.
    """

    def echo(peer: ServerConnection) -> None:
        for number, message in enumerate(peer, start=1):
            peer.send("no" if number > 3 else message)

    with serve(echo, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            load = ws_client.Load(server.socket.getsockname()[1], 100, 2)
            load.run(30)
        finally:
            server.shutdown()
            thread.join()

    assert (6, 2) == (len(load.times), load.errors)


def test_a_connection_that_the_server_closed_is_not_idle() -> None:
    """
    Idle connections are counted by whether the server still has them.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        while_open = client.is_open(ours)
        theirs.close()
        after = client.is_open(ours)

    assert (while_open, after, client.is_open(None)) == (True, False, False)
