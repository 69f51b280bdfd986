"""What settings name is imported or opened, or told to be wrong with its place."""

import asyncio
import logging
import sys
from pathlib import Path

import pytest
import uvloop

from tiamat.config import Config
from tiamat.config.named import (
    check_status,
    logging_configuration,
    loop_factory,
    open_log,
    parser,
)
from tiamat.errors import ConfigError
from tiamat.observe.log import Log
from tiamat.protocol import parser_h11, parser_httptools


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("httptools", parser_httptools.Parser),
        ("h11", parser_h11.Parser),
        ("tiamat.protocol.parser_h11:Parser", parser_h11.Parser),
    ],
)
def test_a_parser_is_ours_or_anybody_s(name: str, expected: type) -> None:
    """By a word, or by where the class is."""
    assert expected is parser(Config(http_parser=name))


def test_the_fast_loop_is_taken_where_it_is() -> None:
    """Here it is installed; asyncio's own can be asked for."""
    auto = loop_factory(Config())()
    plain = loop_factory(Config(asgi_loop="asyncio"))()
    mine = loop_factory(Config(asgi_loop="asyncio:new_event_loop"))()

    found = [isinstance(loop, uvloop.Loop) for loop in (auto, plain, mine)]
    for loop in (auto, plain, mine):
        loop.close()

    assert [True, False, False] == found
    assert isinstance(plain, asyncio.SelectorEventLoop)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("no.such:loop", "asgi_loop = 'no.such:loop' can't be imported: No module"),
        ("asyncio:nope", "module 'asyncio' has no attribute 'nope'"),
        ("sys:path", "asgi_loop = 'sys:path' is not a function that makes an event"),
    ],
)
def test_a_loop_that_is_none_is_told(name: str, complaint: str) -> None:
    """At the start of a worker, and by ``--check-config``."""
    with pytest.raises(ConfigError) as caught:
        loop_factory(Config(asgi_loop=name))

    assert complaint in str(caught.value)


class LoudLog(Log):
    """A logger class of a user's."""

    def info(self, msg: object, *args: object, **options: object) -> None:
        """Say it loudly."""
        super().info(str(msg).upper(), *args)


def test_the_logs_are_opened_as_the_settings_say(tmp_path: Path) -> None:
    """Files, level and class come from the settings."""
    path = tmp_path / "log"
    config = Config(errorlog=str(path), loglevel="info", logger_class=LoudLog)

    log = open_log(config)
    log.info("hello")
    log.close()

    assert "[INFO] HELLO" in path.read_text()
    assert isinstance(log, LoudLog)
    assert logging.getLogger("tiamat.error").handlers == []


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (
            {"errorlog": "/no/such/log"},
            "errorlog = '/no/such/log' can't be opened: No such file or directory",
        ),
        (
            {"accesslog": "/"},
            "accesslog = '/' can't be opened: Is a directory",
        ),
        (
            {"logconfig": "/no/such.ini"},
            "logconfig = '/no/such.ini' can't be opened: No such file or directory",
        ),
        (
            {"logconfig_json": "/no/such.json"},
            "logconfig_json = '/no/such.json' can't be opened: No such file",
        ),
        (
            {"logconfig_json": __file__},
            " is no logging configuration: Extra data",
        ),
        (
            {"logconfig_dict": {"version": 3}},
            "logconfig_dict = {'version': 3} is no logging configuration:"
            " Unsupported version: 3",
        ),
        (
            {"logger_class": "tiamat.nope:Log"},
            "logger_class = 'tiamat.nope:Log' can't be imported: No module named",
        ),
    ],
)
def test_logs_that_cannot_be_opened_are_told(
    values: dict[str, object], complaint: str
) -> None:
    """The setting that is wrong is named, with its place."""
    config = Config(**values)

    with pytest.raises(ConfigError) as caught:
        open_log(config)

    assert complaint in str(caught.value)
    assert str(caught.value).startswith("Config(")


def test_of_several_logging_configurations_gunicorn_s_first_counts(
    tmp_path: Path,
) -> None:
    """The dictionary, then its JSON file, then INI; no other is even read."""
    (tmp_path / "log.json").write_text('{"version": 1}')
    json_file = str(tmp_path / "log.json")

    found = [
        logging_configuration(Config(**values))
        for values in (
            {"logconfig": "no.ini", "logconfig_json": "no", "logconfig_dict": {"a": 1}},
            {"logconfig": "no.ini", "logconfig_json": json_file},
            {"logconfig": "no.ini"},
            {},
        )
    ]

    assert [{"a": 1}, {"version": 1}, "no.ini", None] == found


def test_what_status_bind_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it; nothing is needed without an address."""
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "prometheus_client", raising=False)
    check_status(Config())

    with pytest.raises(ConfigError, match=r"pip install 'tiamat-server\[metrics\]'"):
        check_status(Config(status_bind="127.0.0.1:0"))
