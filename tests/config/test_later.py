"""gunicorn's settings that Tiamat does not have yet."""

from tiamat.config import Config, later

GUNICORN_COUNT = 120
"""gunicorn 27.0.1 has 120 settings."""


def test_every_setting_of_gunicorns_is_known() -> None:
    """Ours and the later ones are all of gunicorn's (less one of its inner ones)."""
    added = {
        "boot_timeout",
        "drain_delay",
        "status_bind",
        "reload_watch",
        "slow_request_log",
        "max_worker_age",
        "max_worker_memory",
        "reload_check",
        "reload_check_status",
        "reload_check_timeout",
        "check_worker",
        "reexec_mode",
        "max_surge",
        "max_unavailable",
        "limit_request_head",
        "limit_request_body",
        "limit_connections",
        "response_spool_limit",
        "header_timeout",
        "body_timeout",
        "min_body_rate",
        "write_timeout",
        "request_timeout",
        "websocket_ping_interval",
        "websocket_ping_timeout",
        "websocket_compression",
    }
    known = (set(Config.settings) - added) | set(later.FLAGS)

    assert len(known | {"default_proc_name"}) == GUNICORN_COUNT


def test_what_would_be_dangerous_to_leave_out_is_among_them() -> None:
    """A server that was told of a certificate never serves in clear text."""
    assert set(later.FLAGS) >= set(later.FATAL)
