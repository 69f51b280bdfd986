"""The 120 settings of gunicorn 27.0.1, and the table that has a row for each."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tiamat.config import Config, gunicorn

PAGE = Path(__file__).parents[2] / "docs" / "migrating-from-gunicorn.md"

COUNT = 120

VERDICTS = {"same", "better", "differs", "not here"}

# Name, flags, default; "?" for a default that is another here, or depends on the place.
THEIRS = """
config | -c --config | ?
wsgi_app | | None
control_socket | --control-socket | ?
control_socket_mode | --control-socket-mode | 0o600
control_socket_disable | --no-control-socket | False
reload | --reload | False
reload_engine | --reload-engine | 'auto'
reload_extra_files | --reload-extra-file | []
spew | --spew | False
check_config | --check-config | False
print_config | --print-config | False
on_dirty_starting | | None
dirty_post_fork | | None
dirty_worker_init | | None
dirty_worker_exit | | None
dirty_apps | --dirty-app | []
dirty_workers | --dirty-workers | 0
dirty_timeout | --dirty-timeout | 300
dirty_threads | --dirty-threads | 1
dirty_graceful_timeout | --dirty-graceful-timeout | 30
http_protocols | --http-protocols | ['h1']
http2_cleartext | --http2-cleartext | 'off'
http2_max_concurrent_streams | --http2-max-concurrent-streams | 100
http2_initial_window_size | --http2-initial-window-size | 65535
http2_max_frame_size | --http2-max-frame-size | 16384
http2_max_header_list_size | --http2-max-header-list-size | 65536
accesslog | --access-logfile | None
disable_redirect_access_to_syslog | --disable-redirect-access-to-syslog | False
access_log_format | --access-logformat | ?
errorlog | --error-logfile --log-file | '-'
loglevel | --log-level | 'info'
capture_output | --capture-output | False
logger_class | --logger-class | ?
logconfig | --log-config | None
logconfig_dict | | {}
logconfig_json | --log-config-json | None
syslog_addr | --log-syslog-to | 'udp://localhost:514'
syslog | --log-syslog | False
syslog_prefix | --log-syslog-prefix | None
syslog_facility | --log-syslog-facility | 'user'
enable_stdio_inheritance | -R --enable-stdio-inheritance | False
statsd_host | --statsd-host | None
dogstatsd_tags | --dogstatsd-tags | ''
statsd_prefix | --statsd-prefix | ''
enable_backlog_metric | --enable-backlog-metric | False
proc_name | -n --name | None
default_proc_name | | ?
keyfile | --keyfile | None
certfile | --certfile | None
ssl_version | --ssl-version | ?
cert_reqs | --cert-reqs | 0
ca_certs | --ca-certs | None
suppress_ragged_eofs | --suppress-ragged-eofs | True
do_handshake_on_connect | --do-handshake-on-connect | False
ciphers | --ciphers | None
limit_request_line | --limit-request-line | 4094
limit_request_fields | --limit-request-fields | 100
limit_request_field_size | --limit-request-field_size | 8190
preload_app | --preload | False
sendfile | --no-sendfile | ?
reuse_port | --reuse-port | False
chdir | --chdir | ?
daemon | -D --daemon | False
raw_env | -e --env | []
pidfile | -p --pid | None
worker_tmp_dir | --worker-tmp-dir | None
user | -u --user | ?
group | -g --group | ?
umask | -m --umask | 0
initgroups | --initgroups | False
tmp_upload_dir | | None
secure_scheme_headers | | ?
forwarded_allow_ips | --forwarded-allow-ips | ['127.0.0.1', '::1']
pythonpath | --pythonpath | None
paste | --paste --paster | None
proxy_protocol | --proxy-protocol | 'off'
proxy_allow_ips | --proxy-allow-from | ['127.0.0.1', '::1']
protocol | --protocol | 'http'
uwsgi_allow_ips | --uwsgi-allow-from | ['127.0.0.1', '::1']
raw_paste_global_conf | --paste-global | []
permit_obsolete_folding | --permit-obsolete-folding | False
strip_header_spaces | --strip-header-spaces | False
permit_unconventional_http_method | --permit-unconventional-http-method | False
permit_unconventional_http_version | --permit-unconventional-http-version | False
casefold_http_method | --casefold-http-method | False
forwarder_headers | --forwarder-headers | ['SCRIPT_NAME', 'PATH_INFO']
header_map | --header-map | 'drop'
root_path | --root-path | ''
bind | -b --bind | ['127.0.0.1:8000']
backlog | --backlog | 2048
workers | -w --workers | 1
worker_class | -k --worker-class | ?
threads | --threads | 1
worker_connections | --worker-connections | 1000
max_requests | --max-requests | 0
max_requests_jitter | --max-requests-jitter | 0
timeout | -t --timeout | 30
graceful_timeout | --graceful-timeout | 30
keepalive | --keep-alive | 2
asgi_loop | --asgi-loop | 'auto'
asgi_lifespan | --asgi-lifespan | 'auto'
asgi_disconnect_grace_period | --asgi-disconnect-grace-period | 3
websocket_max_message_size | --websocket-max-message-size | 16777216
http_parser | --http-parser | 'auto'
on_starting | | None
on_reload | | None
when_ready | | None
pre_fork | | None
post_fork | | None
post_worker_init | | None
worker_int | | None
worker_abort | | None
pre_exec | | None
pre_request | | None
post_request | | None
child_exit | | None
worker_exit | | None
nworkers_changed | | None
on_exit | | None
ssl_context | | None
"""


class Theirs(NamedTuple):
    """One of gunicorn's settings."""

    name: str
    flags: list[str]
    default: str


def theirs() -> list[Theirs]:
    """All of gunicorn's settings."""
    rows = (
        line.split(" | ") for line in THEIRS.strip().replace("| |", "|  |").split("\n")
    )
    return [Theirs(name, flags.split(), default) for name, flags, default in rows]


def test_every_setting_of_gunicorns_has_a_row() -> None:
    """Name by name, and nothing else."""
    names = [one.name for one in theirs()]

    assert len(set(names)) == COUNT
    assert set(names) == set(gunicorn.rows())
    assert set(names) <= set(Config.settings)


def test_every_row_has_a_verdict_and_a_sentence() -> None:
    """One of four words, and what there is to say."""
    for row in gunicorn.rows().values():
        assert row.verdict in VERDICTS
        assert re.fullmatch(r"\S.*\.", row.words), row


def test_every_flag_of_gunicorns_is_known() -> None:
    """Also those of settings without effect."""
    for name, flags, _ in theirs():
        assert set(flags) <= set(Config.settings[name].flags), name


@pytest.mark.parametrize("one", theirs(), ids=lambda one: one.name)
def test_defaults_are_gunicorns(one: Theirs) -> None:
    """Where they are not, the table says so or the place does."""
    if one.default == "?" or one.name not in Config.settings:
        return
    setting = Config.settings[one.name]

    assert setting.default == setting.kind.convert(ast.literal_eval(one.default))


def test_what_differs_by_default_is_said() -> None:
    """The defaults that are others than gunicorn's."""
    rows = gunicorn.rows()

    for name in (
        "config",
        "control_socket",
        "worker_class",
        "logger_class",
        "sendfile",
    ):
        assert rows[name].verdict == "differs" or rows[name].words, name


def test_the_table_in_the_manual_is_up_to_date() -> None:
    """After a change: ``scripts/docs``."""
    text = PAGE.read_text()

    assert gunicorn.MARK in text
    assert gunicorn.page(text) == text
