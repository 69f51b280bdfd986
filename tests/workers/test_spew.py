"""Every line of Python that a worker executes."""

from pathlib import Path

from conftest import Serve


def test_lines_of_the_application_are_written(serve: Serve, tmp_path: Path) -> None:
    """With module and number, to the standard error."""
    server = serve("apps.pid:app", "--spew")
    server.get()
    server.stop()
    path = Path(__file__).parents[1] / "apps" / "pid.py"
    lines = path.read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if "str(os.getpid())" in line)

    assert f"apps.pid:{number}:     body = str(os.getpid()).encode()\n" in server.output
