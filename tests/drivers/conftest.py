"""What tests of drivers may use."""

import pytest
from drivers import aio_loops, loops


@pytest.fixture(params=["sync", "threads", "greens"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test with each way to run an application on the evented driver."""
    chosen: str = request.param
    monkeypatch.setattr(loops, "KIND", chosen)
    return chosen


@pytest.fixture(params=aio_loops.LOOPS)
def aio_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test on each kind of asyncio loop."""
    chosen: str = request.param
    monkeypatch.setattr(aio_loops, "factory", aio_loops.LOOPS[chosen])
    return chosen
