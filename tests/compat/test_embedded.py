"""The settings and the code of application objects of gunicorn's kind."""

from typing import Any

import pytest

from tiamat.compat.embedded import EmbeddedConfig
from tiamat.compat.gunicorn.config import Config
from tiamat.compat.gunicorn.errors import AppImportError
from tiamat.errors import AppError, ConfigError, StartupError, TiamatError


class Program:
    """As little as such an object may be."""

    def __init__(self, **values: object) -> None:
        self.values = values
        self.fails: BaseException | None = None
        self.goes_to_background = False
        self.cfg: Any = None
        self.reload()

    def reload(self) -> None:
        """Make ``cfg`` anew."""
        self.cfg = Config()
        for name, value in self.values.items():
            self.cfg.set(name, value)
        if self.fails is not None:
            raise self.fails

    def wsgi(self) -> object:
        """What is served."""
        if self.fails is not None:
            raise self.fails
        return print


def test_what_the_object_has_said_counts() -> None:
    """And what it has not said is our default."""
    config = EmbeddedConfig.of(Program(workers=3, keyfile=None))

    assert (3, 2048) == (config.workers, config.backlog)


def test_an_object_goes_to_the_background_itself() -> None:
    """Unless it leaves that to us."""
    program = Program(daemon=True)
    before = EmbeddedConfig.of(program).daemon
    program.goes_to_background = True

    assert [False, True] == [before, EmbeddedConfig.of(program).daemon]


def test_the_origin_is_the_object() -> None:
    """For complaints."""
    config = EmbeddedConfig.of(Program(timeout=3))

    assert config.origin("timeout").endswith(":Program")


def test_the_application_is_what_the_object_gives() -> None:
    """When it is asked for."""
    assert print is EmbeddedConfig.of(Program()).load_program()


def test_a_reload_lets_the_object_read_its_settings() -> None:
    """It keeps those that are in force."""
    program = Program(workers=3)
    config, before = EmbeddedConfig.of(program), program.cfg
    program.values = {"workers": 4}

    again = config.read_again()

    assert (4, before) == (again.workers, program.cfg)


@pytest.mark.parametrize("error", [SystemExit(7), ValueError("7 is wrong")])
def test_a_reload_that_fails_is_an_error(error: BaseException) -> None:
    """Also when the object would end the program."""
    program = Program()
    config = EmbeddedConfig.of(program)
    program.fails = error

    with pytest.raises((ConfigError, ValueError), match="7"):
        config.read_again()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (LookupError("no database"), StartupError),
        (SystemExit(5), StartupError),
        (AppImportError("no database"), AppError),
    ],
)
def test_code_that_fails_is_an_error_of_ours(
    error: BaseException, kind: type[TiamatError]
) -> None:
    """With gunicorn's status."""
    program = Program()
    config = EmbeddedConfig.of(program)
    program.fails = error

    with pytest.raises(kind, match=r"no database|sys\.exit"):
        config.load_program()
