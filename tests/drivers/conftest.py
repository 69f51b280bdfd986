"""What tests of drivers may use."""

import pytest
from drivers import loops


@pytest.fixture(params=["sync", "threads", "greens"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test with each way to run an application on the evented driver."""
    chosen: str = request.param
    monkeypatch.setattr(loops, "KIND", chosen)
    return chosen
