"""Worker processes."""

import pytest

from tiamat.config import Config
from tiamat.errors import ConfigError
from tiamat.system.process import available_cpus


def test_defaults_are_gunicorns() -> None:
    """Who moves from gunicorn without a setting gets what he had."""
    config = Config()

    assert (config.workers, config.worker_class, config.threads) == (1, None, 1)
    assert (config.timeout, config.graceful_timeout, config.keepalive) == (30, 30, 2)
    assert (config.max_requests, config.max_requests_jitter) == (0, 0)
    assert config.worker_connections == 1000
    assert config.request_timeout == 0


def test_auto_is_one_worker_per_usable_processor() -> None:
    """By affinity and cgroup quota, not by what the machine has."""
    assert Config(workers="auto").workers == available_cpus()


def test_times_may_have_fractions() -> None:
    """Seconds are floats."""
    assert Config(timeout="0.5").timeout == 0.5


def test_replacement_needs_room_somewhere() -> None:
    """One worker more, or one fewer: else none could ever be replaced."""
    config = Config(max_surge=0, max_unavailable=1)
    assert (config.max_surge, config.max_unavailable) == (0, 1)

    with pytest.raises(ConfigError, match="set one of them to 1"):
        Config(max_surge=0)


def test_every_worker_loads_the_application_unless_asked() -> None:
    """gunicorn's default, and its flag."""
    assert not Config().preload_app
    assert Config(preload_app=True).preload_app
