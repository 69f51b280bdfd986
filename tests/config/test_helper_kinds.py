"""The kind of the setting ``helpers``."""

import pytest

from tiamat.config import Config
from tiamat.config.helper_kinds import command
from tiamat.errors import ConfigError


def test_a_command_has_words_and_a_function_has_none() -> None:
    """As a shell would cut them; a colon in a command makes it no function."""
    assert ["celery", "-A", "a b", "worker"] == command("celery -A 'a b' worker")
    assert ["./run:all"] == command("./run:all")
    assert [] == command("shop.tasks:cron")


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("celery worker", "is not a dictionary"),
        ({"3": "sleep 3"}, "names a helper '3'"),
        ({"a": ""}, "says no command for a"),
        ({"a": ["sleep", "3"]}, "says no command for a"),
        ({"a": "sleep '3"}, "has a command for a with No closing quotation"),
    ],
)
def test_others_are_refused(value: object, complaint: str) -> None:
    """With a word on how it is written."""
    with pytest.raises(ConfigError, match=complaint):
        Config(helpers=value)
