"""From settings to a context, by way of the hook if there is one."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from authority import Authority, make_authority

from tiamat.config import Config
from tiamat.config.contexts import make_context
from tiamat.errors import TLSError


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)


def test_a_context_is_made_of_the_settings(authority: Authority) -> None:
    """All of them."""
    crt, key = authority.pair("localhost")
    context = make_context(
        Config(
            certfile=str(crt), keyfile=str(key), ca_certs=str(authority.path),
            cert_reqs="required",
        )
    )  # fmt: skip

    assert ssl.CERT_REQUIRED == context.verify_mode


def test_a_hook_may_change_it(authority: Authority) -> None:
    """gunicorn's, by its arguments."""

    def hook(config: Any, default_ssl_context_factory: Any) -> ssl.SSLContext:
        context: ssl.SSLContext = default_ssl_context_factory()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    cert = str(authority.issue("localhost"))
    context = make_context(Config(certfile=cert, ssl_context=hook))

    assert ssl.TLSVersion.TLSv1_3 == context.minimum_version


def test_what_a_hook_does_wrong_is_said() -> None:
    """It never means plain text."""

    def raises(config: Any, factory: Any) -> None:
        raise RuntimeError("oh")

    cases: dict[Any, str] = {
        raises: r"the hook ssl_context failed: RuntimeError\('oh'\)",
        lambda config, factory: None: "returned NoneType, not an SSLContext",
        lambda config, factory: factory(): "certfile is not set",
    }
    for hook, words in cases.items():
        with pytest.raises(TLSError, match=words):
            make_context(Config(ssl_context=hook))
