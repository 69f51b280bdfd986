"""The command line, made of the settings."""

import subprocess
import sys
from typing import Any

import pytest

import tiamat
from tiamat.config import Config, flags


def parse(*words: str, source: str = "") -> flags.Flags:
    """Parse a command line of ours."""
    return flags.parse(Config.settings.values(), words, source)


def usage_error(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What is said about a command line that can't be understood."""
    with pytest.raises(SystemExit) as caught:
        parse(*words)
    assert caught.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["-w", "3"], {"workers": "3"}),
        (["--workers=3"], {"workers": "3"}),
        (["-b", "a", "-b", "b"], {"bind": ["a", "b"]}),
        (["-D"], {"daemon": True}),
        (["--no-sendfile"], {"sendfile": False}),
        (["--limit-request-field_size", "1"], {"limit_request_field_size": "1"}),
        (["--limit-request-field-size", "1"], {"limit_request_field_size": "1"}),
        (["--log-file", "x"], {"errorlog": "x"}),
        (["--error-log", "x"], {"errorlog": "x"}),  # abbreviated, as argparse allows
        ([], {}),
    ],
)
def test_flags_are_texts_by_setting(words: list[str], given: dict[str, Any]) -> None:
    """Every spelling of gunicorn's is known; what is not given is not there."""
    assert given == parse(*words).given


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--proxy-protocol", "app:app"], "auto"),
        (["app:app", "--proxy-protocol"], "auto"),
        (["--proxy-protocol", "-w3", "app:app"], "auto"),
        (["--proxy-protocol", "v1", "app:app"], "v1"),
        (["--proxy-protocol=v2", "app:app"], "v2"),
    ],
)
def test_a_flag_whose_value_may_be_left_out_takes_no_other_word(
    words: list[str], value: str
) -> None:
    """What follows is the application, as people mean it."""
    found = parse(*words)

    assert ("app:app", value) == (found.app, found.given["proxy_protocol"])


def test_the_application_stands_anywhere() -> None:
    """APP may come before, between and behind the flags."""
    assert parse("app:app", "-w", "3").app == "app:app"
    assert parse("-w", "3", "app:app").app == "app:app"
    assert parse("-w", "3").app is None


def test_flags_of_uvicorn_get_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """What is meant is known; and what we name instead is there."""
    text = usage_error(capsys, "--port", "80", "app")
    ours = [words for words in flags.UVICORNS.values() if words.startswith("--")]

    assert "error: there is no flag --port; write --bind HOST:PORT\n" in text
    for words in ours:
        assert parse(*words.split(), *([] if set(" =") & set(words) else ["1"])).given
    with pytest.raises(SystemExit):
        parse("--factory")


def test_a_misspelt_flag_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """The error says which flag was probably meant."""
    expected = (
        "tiamat: error: there is no flag --workesr; did you mean --workers?\n"
        "Try `tiamat --help` for the flags.\n"
    )
    assert expected == usage_error(capsys, "--workesr=3", "app")
    assert "there is no flag --zzzzzzz\n" in usage_error(capsys, "--zzzzzzz")


def test_a_second_application_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The word that is too much is shown."""
    found = usage_error(capsys, "app:app", "other:app")

    assert "one application is enough: what is 'other:app'?" in found


def test_a_flag_without_its_value_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """argparse's own errors say where to look too."""
    found = usage_error(capsys, "--workers")

    assert "argument -w/--workers: expected one argument" in found
    assert "Try `tiamat --help`" in found


def test_errors_name_the_variable_that_held_the_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A flag in TIAMAT_CMD_ARGS is not looked for on the command line."""
    with pytest.raises(SystemExit):
        parse("--nope", source="TIAMAT_CMD_ARGS")

    assert "tiamat: error: TIAMAT_CMD_ARGS: there is no" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` prints it and exits with 0."""
    with pytest.raises(SystemExit) as caught:
        parse("--version")

    assert caught.value.code == 0
    assert f"tiamat {tiamat.__version__}\n" == capsys.readouterr().out


def test_the_help_has_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` shows each chapter and each setting that has a flag."""
    with pytest.raises(SystemExit):
        parse("--help")

    shown = capsys.readouterr().out
    for setting in Config.settings.values():
        for flag in setting.flags:
            assert flag in shown
        if setting.flags:
            assert f"{setting.chapter.__doc__}:" in shown


def test_the_parser_keeps_the_master_small() -> None:
    """argparse's own search for the width imports four compression libraries."""
    code = (
        "import sys; from tiamat.config import Config;"
        "Config.load(['a'], {}, '/'); print('shutil' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout == "False\n"
