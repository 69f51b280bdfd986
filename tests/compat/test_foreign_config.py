"""The settings, as gunicorn's code reads them."""

import ssl

from tiamat.compat.foreign_config import ForeignConfig
from tiamat.config import Config


def test_a_hook_that_nobody_set_can_be_called() -> None:
    """Where ours is None; one that is set is itself."""
    cfg = ForeignConfig(Config(worker_int=print))

    assert None is cfg.worker_abort(object())
    assert print is cfg.worker_int


def test_the_default_context_is_what_the_hook_is_given() -> None:
    """gunicorn calls ``ssl_context`` also where nobody has set it."""
    cfg = ForeignConfig(Config())

    assert "made" == cfg.ssl_context(cfg, lambda: "made")


def test_settings_of_tls_have_gunicorn_s_form() -> None:
    """A dictionary of them, and a version that makes a context."""
    options = ForeignConfig(Config()).ssl_options

    ssl.SSLContext(options["ssl_version"])
    assert {"keyfile", "certfile", "cert_reqs", "ca_certs", "ciphers"} <= {*options}


def test_networks_are_those_of_the_addresses() -> None:
    """The asterisk is none."""
    cfg = ForeignConfig(Config(forwarded_allow_ips="*,10.0.0.0/8"))

    assert ["10.0.0.0/8"] == [str(one) for one in cfg.forwarded_allow_networks()]
    assert "127.0.0.1/32" == str(cfg.proxy_allow_networks()[0])


def test_a_setting_is_an_object_too() -> None:
    """As plugins ask for it."""
    cfg = ForeignConfig(Config(backlog=7))

    assert (7, 7) == (cfg.backlog, cfg.settings["backlog"].value)


def test_the_name_of_processes_is_the_application_s() -> None:
    """Where there is no other."""
    assert "shop" == ForeignConfig(Config(proc_name="shop")).proc_name
    assert "site:app" == ForeignConfig(Config(wsgi_app="site:app")).proc_name


def test_the_environment_is_that_of_the_start() -> None:
    """Ours may have changed since."""
    config = Config.load(["site:app"], {"PORT": "80"}, "/")

    assert {"PORT": "80"} == ForeignConfig(config).env_orig
