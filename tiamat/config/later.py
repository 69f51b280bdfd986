"""
gunicorn's settings that Tiamat does not have yet, with their flags.

Whoever comes from gunicorn hears that we know what is meant, and that it is not
done, instead of "unknown setting".
"""

from typing import Final

# Two stay here. asgi_disconnect_grace_period: no request of ours is cancelled because
# its client went, so there is no pause before that. control_socket_mode: the socket is
# for root and one user, whom the kernel tells apart, so it has no other mode than 0600.
FLAGS: Final[dict[str, tuple[str, ...]]] = {
    "asgi_disconnect_grace_period": ("--asgi-disconnect-grace-period",),
    "ca_certs": ("--ca-certs",),
    "casefold_http_method": ("--casefold-http-method",),
    "cert_reqs": ("--cert-reqs",),
    "certfile": ("--certfile",),
    "ciphers": ("--ciphers",),
    "control_socket_mode": ("--control-socket-mode",),
    "dirty_apps": ("--dirty-app",),
    "dirty_graceful_timeout": ("--dirty-graceful-timeout",),
    "dirty_post_fork": (),
    "dirty_threads": ("--dirty-threads",),
    "dirty_timeout": ("--dirty-timeout",),
    "dirty_worker_exit": (),
    "dirty_worker_init": (),
    "dirty_workers": ("--dirty-workers",),
    "disable_redirect_access_to_syslog": ("--disable-redirect-access-to-syslog",),
    "do_handshake_on_connect": ("--do-handshake-on-connect",),
    "dogstatsd_tags": ("--dogstatsd-tags",),
    "enable_backlog_metric": ("--enable-backlog-metric",),
    "enable_stdio_inheritance": ("-R", "--enable-stdio-inheritance"),
    "http2_cleartext": ("--http2-cleartext",),
    "http2_initial_window_size": ("--http2-initial-window-size",),
    "http2_max_concurrent_streams": ("--http2-max-concurrent-streams",),
    "http2_max_frame_size": ("--http2-max-frame-size",),
    "http2_max_header_list_size": ("--http2-max-header-list-size",),
    "http_protocols": ("--http-protocols",),
    "keyfile": ("--keyfile",),
    "logconfig_json": ("--log-config-json",),
    "on_dirty_starting": (),
    "paste": ("--paste", "--paster"),
    "permit_obsolete_folding": ("--permit-obsolete-folding",),
    "permit_unconventional_http_method": ("--permit-unconventional-http-method",),
    "permit_unconventional_http_version": ("--permit-unconventional-http-version",),
    "protocol": ("--protocol",),
    "proxy_allow_ips": ("--proxy-allow-from",),
    "proxy_protocol": ("--proxy-protocol",),
    "raw_paste_global_conf": ("--paste-global",),
    "reuse_port": ("--reuse-port",),
    "spew": ("--spew",),
    "ssl_context": (),
    "ssl_version": ("--ssl-version",),
    "statsd_host": ("--statsd-host",),
    "statsd_prefix": ("--statsd-prefix",),
    "strip_header_spaces": ("--strip-header-spaces",),
    "suppress_ragged_eofs": ("--suppress-ragged-eofs",),
    "syslog": ("--log-syslog",),
    "syslog_addr": ("--log-syslog-to",),
    "syslog_facility": ("--log-syslog-facility",),
    "syslog_prefix": ("--log-syslog-prefix",),
    "uwsgi_allow_ips": ("--uwsgi-allow-from",),
}

NAMES: Final = {flag: name for name, flags in FLAGS.items() for flag in flags}

WORDS: Final = "is a gunicorn setting that Tiamat does not have yet"

_TLS: Final = "let a proxy in front do TLS"

FATAL: Final[dict[str, str]] = {
    "certfile": _TLS,
    "keyfile": _TLS,
    "ssl_context": _TLS,
    "proxy_protocol": "let the proxy send X-Forwarded-For instead",
}
"""
Those that can't be left out with a warning, and what to do instead: who asks for
TLS must not be served in clear text, and behind PROXY headers no request can be
read.
"""


def complaint(name: str, shown: str) -> str:
    """What is wrong with a setting, *shown* as it was written, and the cure."""
    return f"{shown} {WORDS}; {FATAL.get(name, 'leave it out')}"
