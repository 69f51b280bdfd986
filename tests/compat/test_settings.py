"""Our settings, with gunicorn's names and values."""

import pytest

from tiamat.compat import settings
from tiamat.config import Config
from tiamat.config import gunicorn as rows


def test_each_of_gunicorns_has_a_section() -> None:
    """All 120, and none else."""
    named = {name for text in settings.SECTIONS.values() for name in text.split()}

    assert set(rows.rows()) == named


def test_all_of_ours_are_there() -> None:
    """Those that gunicorn does not have in a section of their own."""
    found = {setting.name: section for section, setting in settings.ours()}

    assert set(Config.settings) == set(found)
    assert "Tiamat" == found["max_surge"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bind", "Bind"),
        ("wsgi_app", "WSGIApp"),
        ("http2_max_frame_size", "HTTP2MaxFrameSize"),
        ("access_log_format", "AccessLogFormat"),
        ("raw_env", "Env"),
    ],
)
def test_classes_have_gunicorns_names(name: str, expected: str) -> None:
    """Most follow from the setting's."""
    assert expected == settings.class_name(name)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("timeout", 30.0, 30),
        ("timeout", 0.5, 0.5),
        ("worker_class", None, "sync"),
        ("worker_class", "asgi", "asgi"),
        ("logger_class", "tiamat.observe.log:Log", "gunicorn.glogging.Logger"),
        ("default_proc_name", None, "gunicorn"),
        ("config", "", "./gunicorn.conf.py"),
        ("control_socket", False, ""),
        ("statsd_host", "localhost:8125", ("localhost", 8125)),
        ("post_fork", None, settings.idle),
        ("proc_name", None, None),
    ],
)
def test_values_are_what_gunicorns_code_expects(
    name: str, value: object, expected: object
) -> None:
    """Where ours are others."""
    assert expected == settings.theirs(name, value)


def test_of_several_certificates_it_is_the_first() -> None:
    """gunicorn knows one."""
    config = Config(certfile=["a.pem", ("b.crt", "b.key")])

    assert "a.pem" == settings.theirs("certfile", config.certfile, config)


def test_the_environment_has_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in gunicorn, when its settings are imported."""
    monkeypatch.setenv("WEB_CONCURRENCY", "3")

    assert 3 == settings.default(Config.settings["workers"])


def test_the_hook_for_tls_makes_the_usual_context() -> None:
    """If nobody has set it."""
    assert "made" == settings.default_context(None, lambda: "made")
