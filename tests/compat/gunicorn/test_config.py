"""gunicorn's settings, on ours."""

from collections.abc import Callable
from typing import Any

import pytest

from tiamat.compat import shim
from tiamat.compat.gunicorn import config as module
from tiamat.compat.gunicorn.config import (
    KNOWN_SETTINGS,
    Config,
    Setting,
    SettingMeta,
    make_settings,
)
from tiamat.compat.settings import idle
from tiamat.config import Config as OurConfig
from tiamat.errors import ConfigError


@pytest.fixture(autouse=True)
def _gunicorn() -> None:
    """Names of classes mean ours."""
    shim.install()


def test_a_setting_reads_as_an_attribute() -> None:
    """With gunicorn's default."""
    assert ["127.0.0.1:8000"] == Config().bind


def test_a_setting_is_an_object() -> None:
    """With all that plugins ask of it."""
    setting = Config().settings["backlog"]

    asked = (setting.name, setting.get(), setting.value, setting.default, setting.cli)
    assert ("backlog", 2048, 2048, 2048, ["--backlog"]) == asked
    assert "Server Socket" == setting.section


def test_a_setting_is_set() -> None:
    """By the rules that ours have."""
    config = Config()

    config.set("workers", "3")

    assert 3 == config.workers


def test_it_tells_what_was_said() -> None:
    """For whoever makes our settings of it."""
    config = Config()
    config.set("workers", "3")
    config.settings["threads"].set(2)

    assert {"workers": "3", "threads": 2} == config.given()


def test_a_setting_is_not_assigned() -> None:
    """It would be lost."""
    with pytest.raises(AttributeError, match="Invalid access"):
        Config().workers = 3


def test_there_is_no_other_setting() -> None:
    """To read."""
    with pytest.raises(AttributeError, match="no setting wrokers"):
        _ = Config().wrokers


def test_no_other_setting_is_set() -> None:
    """With the exception that embedding programs know."""
    with pytest.raises(AttributeError, match="no setting wrokers"):
        Config().set("wrokers", 3)


def test_a_wrong_value_is_refused() -> None:
    """In words."""
    with pytest.raises(ValueError, match="workers = 'many'"):
        Config().set("workers", "many")


def test_a_class_may_leave_out_init() -> None:
    """Settings are all that it has to have."""

    class Small(Config):
        def __init__(self) -> None:
            self.settings = make_settings(ignore=["spew"])

    config = Small()
    assert not config.is_ssl
    assert "spew" not in config.settings
    assert 2 == len(config.forwarded_allow_networks())


def test_an_unset_hook_can_be_called() -> None:
    """And does nothing."""
    assert Config().post_fork(None, None) is None


def test_the_format_of_access_lines_has_a_default() -> None:
    """Which worker classes compare with."""
    classes: Any = module

    assert Config().access_log_format == classes.AccessLogFormat.default


# --- Ours, seen as gunicorn's ---------------------------------------------------


def test_a_view_shows_ours() -> None:
    """With gunicorn's values where they differ."""
    view = Config.view(OurConfig(workers=4, timeout=7))

    assert (4, 7, "sync") == (
        view.workers,
        view.timeout,
        view.settings["worker_class"].get(),
    )


def test_a_view_sets_ours() -> None:
    """And shows what is so from then on."""
    config = OurConfig()
    view = Config.view(config)

    view.set("max_requests", 5)

    assert (5, 5) == (config.max_requests, view.max_requests)


def test_a_view_refuses_as_ours_does() -> None:
    """With our exception."""
    with pytest.raises(ConfigError, match="max_requests"):
        Config.view(OurConfig()).set("max_requests", "x")


def test_a_view_keeps_what_a_program_has_of_its_own() -> None:
    """Settings of plugins, and what its class adds."""

    class Theirs(Config):
        answer = 42

    class Ours(OurConfig):
        theirs = Theirs()

    added = SettingMeta("PoolSize", (Setting,), {"name": "pool_size"})
    KNOWN_SETTINGS.pop()
    setting: Any = added()
    setting.kept = 5
    Ours.theirs.settings["pool_size"] = setting

    view: Any = Config.view(Ours(workers=4))

    assert (5, 42, 4) == (view.pool_size, view.answer, view.workers)
    assert 1 == Ours.theirs.workers


def test_a_view_has_hooks() -> None:
    """Those that are set, and for others something to call."""

    def post_fork(server: object, worker: object) -> None:
        """A hook."""

    view = Config.view(OurConfig(post_fork=post_fork))

    assert (post_fork, idle) == (view.post_fork, view.pre_fork)


def test_a_view_speaks_tls_as_ours() -> None:
    """Its options have gunicorn's names."""
    view = Config.view(OurConfig(certfile="a.pem", keyfile="a.key"))

    assert view.is_ssl
    assert {
        "keyfile": "a.key",
        "certfile": "a.pem",
        "ssl_version": 2,
        "cert_reqs": 0,
        "ca_certs": None,
        "suppress_ragged_eofs": True,
        "do_handshake_on_connect": False,
        "ciphers": None,
    } == view.ssl_options


# --- What follows ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "sync"),
        ({"threads": 4}, "gthread"),
        ({"worker_class": "gevent"}, "gevent"),
        ({"worker_class": dict}, "dict"),
    ],
)
def test_the_worker_class_in_a_word(values: dict[str, Any], expected: str) -> None:
    """With threads, ``sync`` is another."""
    assert expected == Config.view(OurConfig(**values)).worker_class_str


def test_a_worker_class_is_set_up() -> None:
    """By a function that it may have."""
    done = []

    class Worker:
        setup = staticmethod(lambda: done.append("set up"))

    config = Config()
    config.set("worker_class", Worker)

    assert (Worker, ["set up"]) == (config.worker_class, done)


def test_a_logger_class_is_installed() -> None:
    """By a function that it may have."""
    done = []

    class Logger:
        install = staticmethod(lambda: done.append("installed"))

    config = Config()
    config.set("logger_class", Logger)

    assert (Logger, ["installed"]) == (config.logger_class, done)


@pytest.mark.parametrize(
    ("name", "value", "attribute", "expected"),
    [
        ("raw_env", ["A=1", "B=x=y"], "env", {"A": "1", "B": "x=y"}),
        ("raw_paste_global_conf", ["a=1"], "paste_global_conf", {"a": "1"}),
        ("bind", ["[::1]:80", "unix:/x"], "address", [("::1", 80), "/x"]),
        ("user", 0, "uid", 0),
        ("group", 0, "gid", 0),
        ("proc_name", "shop", "proc_name", "shop"),
        ("default_proc_name", "shop:app", "proc_name", "shop:app"),
        ("sendfile", False, "sendfile", False),
        ("reuse_port", True, "reuse_port", True),
        ("certfile", "a.pem", "is_ssl", True),
    ],
)
def test_what_follows_from_a_setting(
    name: str, value: object, attribute: str, expected: object
) -> None:
    """Under another name."""
    config = Config()

    config.set(name, value)

    assert expected == getattr(config, attribute)


@pytest.mark.parametrize(
    ("name", "networks"),
    [
        ("forwarded_allow_ips", Config.forwarded_allow_networks),
        ("proxy_allow_ips", Config.proxy_allow_networks),
    ],
)
def test_networks_are_objects(
    name: str, networks: Callable[[Config], list[Any]]
) -> None:
    """But for the asterisk, which is none."""
    config = Config()
    config.set(name, "10.0.0.0/8,*")

    assert ["10.0.0.0/8"] == [str(one) for one in networks(config)]


# --- Command lines --------------------------------------------------------------


def test_a_command_line_is_read() -> None:
    """What nobody gives is None, so that it may be set over others."""
    found = (
        Config().parser().parse_args(["-w", "3", "--preload", "-b:1", "-b:2", "a:b"])
    )

    assert ("3", True, [":1", ":2"], ["a:b"], None) == (
        found.workers,
        found.preload_app,
        found.bind,
        found.args,
        found.timeout,
    )


def test_what_a_command_line_says_can_be_set() -> None:
    """Each value, as the parser gives it."""
    config = Config()
    words = ["-w3", "--no-sendfile", "--preload", "--proxy-protocol", "-btcp://[::1]:1"]

    for name, value in vars(config.parser().parse_args(words)).items():
        if value is not None and name != "args":
            config.set(name, value)

    assert {
        "workers": "3",
        "sendfile": False,
        "preload_app": True,
        "proxy_protocol": "auto",
        "bind": ["tcp://[::1]:1"],
    } == config.given()


def test_the_environment_has_a_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn's variable."""
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--workers 3 --name 'a shop'")
    monkeypatch.delenv("TIAMAT_CMD_ARGS", raising=False)

    assert ["--workers", "3", "--name", "a shop"] == Config().get_cmd_args_from_env()


def test_the_file_that_lies_here(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None if none does."""
    monkeypatch.chdir(tmp_path)
    assert module.get_default_config_file() is None
    (tmp_path / "gunicorn.conf.py").touch()
    assert str(tmp_path / "gunicorn.conf.py") == module.get_default_config_file()


def test_all_settings_print() -> None:
    """A line each."""
    lines = str(Config()).splitlines()

    assert len(lines) == len(make_settings())
    assert any("post_fork" in line and "<idle()>" in line for line in lines)


@pytest.mark.parametrize(("text", "number"), [("017", 15), ("0x10", 16), ("8", 8)])
def test_numbers_may_be_octal(text: str, number: int) -> None:
    """As C writes them."""
    assert number == module.auto_int(None, text)
