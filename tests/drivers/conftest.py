"""Each test of the evented driver runs with every way to run an application on it."""

import pytest
from drivers import loops


@pytest.fixture(params=["sync", "threads"], autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Set how loops of this test run their application."""
    chosen: str = request.param
    monkeypatch.setattr(loops, "KIND", chosen)
    return chosen
