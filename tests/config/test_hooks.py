"""Functions of the user's, called at named moments."""

import pytest

from tiamat.config import Config
from tiamat.config.hooks import Hooks
from tiamat.errors import ConfigError

ARGUMENTS = {
    "on_starting": 1,
    "on_reload": 1,
    "when_ready": 1,
    "pre_fork": 2,
    "post_fork": 2,
    "post_worker_init": 1,
    "check_worker": 1,
    "worker_int": 1,
    "worker_abort": 1,
    "pre_exec": 1,
    "pre_request": 2,
    "post_request": 4,
    "on_worker_message": 3,
    "child_exit": 2,
    "worker_exit": 2,
    "nworkers_changed": 3,
    "on_exit": 1,
}

FUNCTIONS = {
    0: lambda: None,
    1: lambda a: None,
    2: lambda a, b: None,
    3: lambda a, b, c: None,
    4: lambda a, b, c, d: None,
    5: lambda a, b, c, d, e: None,
}


def test_every_hook_of_gunicorns_is_there_and_unset() -> None:
    """Unset hooks are None, and two are ours alone; ssl_context comes with TLS."""
    assert set(ARGUMENTS) == set(Hooks.settings)
    assert all(Config().values[name] is None for name in ARGUMENTS)


@pytest.mark.parametrize(("name", "number"), ARGUMENTS.items())
def test_a_hook_takes_its_arguments(name: str, number: int) -> None:
    """The arity is looked at when the settings are read, not when it is called."""
    config = Config(**{name: FUNCTIONS[number]})

    assert config.values[name] is FUNCTIONS[number]
    for wrong in (0, number + 1):
        with pytest.raises(ConfigError, match=f"but is called with {number}"):
            Config(**{name: FUNCTIONS[wrong]})
