"""
gunicorn's settings that Tiamat does not have yet, with their flags.

Whoever comes from gunicorn hears that we know what is meant, and that it is not
done, instead of "unknown setting".
"""

from typing import Final

FLAGS: Final[dict[str, tuple[str, ...]]] = {
    "ca_certs": ("--ca-certs",),
    "cert_reqs": ("--cert-reqs",),
    "certfile": ("--certfile",),
    "ciphers": ("--ciphers",),
    "disable_redirect_access_to_syslog": ("--disable-redirect-access-to-syslog",),
    "do_handshake_on_connect": ("--do-handshake-on-connect",),
    "dogstatsd_tags": ("--dogstatsd-tags",),
    "enable_backlog_metric": ("--enable-backlog-metric",),
    "keyfile": ("--keyfile",),
    "paste": ("--paste", "--paster"),
    "protocol": ("--protocol",),
    "raw_paste_global_conf": ("--paste-global",),
    "reuse_port": ("--reuse-port",),
    "ssl_context": (),
    "ssl_version": ("--ssl-version",),
    "statsd_host": ("--statsd-host",),
    "statsd_prefix": ("--statsd-prefix",),
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
}
"""
Those that can't be left out with a warning, and what to do instead: who asks for
TLS must not be served in clear text.
"""


def complaint(name: str, shown: str) -> str:
    """What is wrong with a setting, *shown* as it was written, and the cure."""
    return f"{shown} {WORDS}; {FATAL.get(name, 'leave it out')}"
