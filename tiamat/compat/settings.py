"""Our settings as gunicorn's code knows them: its sections, names and values."""

import copy
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from tiamat.config.config import Config as OurConfig
from tiamat.config.named import OURS
from tiamat.config.setting import Setting as OurSetting
from tiamat.observe import statsd

if TYPE_CHECKING:
    from tiamat.config.config import Config

SECTIONS: Final = {
    "Config File": "config wsgi_app",
    "Server Socket": "bind backlog",
    "Worker Processes": "workers worker_class threads worker_connections max_requests"
    " max_requests_jitter timeout graceful_timeout keepalive asgi_loop asgi_lifespan"
    " asgi_disconnect_grace_period websocket_max_message_size http_parser",
    "Security": "limit_request_line limit_request_fields limit_request_field_size",
    "Debugging": "reload reload_engine reload_extra_files spew check_config"
    " print_config",
    "Server Mechanics": "preload_app sendfile reuse_port chdir daemon raw_env pidfile"
    " worker_tmp_dir user group umask initgroups tmp_upload_dir secure_scheme_headers"
    " forwarded_allow_ips pythonpath paste proxy_protocol proxy_allow_ips protocol"
    " uwsgi_allow_ips raw_paste_global_conf permit_obsolete_folding"
    " strip_header_spaces permit_unconventional_http_method"
    " permit_unconventional_http_version casefold_http_method forwarder_headers"
    " header_map root_path",
    "Logging": "accesslog disable_redirect_access_to_syslog access_log_format errorlog"
    " loglevel capture_output logger_class logconfig logconfig_dict logconfig_json"
    " syslog_addr syslog syslog_prefix syslog_facility enable_stdio_inheritance"
    " statsd_host dogstatsd_tags statsd_prefix enable_backlog_metric",
    "Process Naming": "proc_name default_proc_name",
    "Server Hooks": "on_starting on_reload when_ready pre_fork post_fork"
    " post_worker_init worker_int worker_abort pre_exec pre_request post_request"
    " child_exit worker_exit nworkers_changed on_exit ssl_context",
    "SSL": "keyfile certfile ssl_version cert_reqs ca_certs suppress_ragged_eofs"
    " do_handshake_on_connect ciphers",
    "HTTP/2": "http_protocols http2_cleartext http2_max_concurrent_streams"
    " http2_initial_window_size http2_max_frame_size http2_max_header_list_size",
    "Dirty Arbiters": "dirty_apps dirty_workers dirty_timeout dirty_threads"
    " dirty_graceful_timeout",
    "Dirty Arbiter Hooks": "on_dirty_starting dirty_post_fork dirty_worker_init"
    " dirty_worker_exit",
    "Control": "control_socket control_socket_mode control_socket_disable",
}
"""gunicorn's chapters, with its settings in its order."""

CLASSES: Final = {
    "config": "ConfigFile",
    "threads": "WorkerThreads",
    "check_config": "ConfigCheck",
    "raw_env": "Env",
    "http_parser": "HttpParser",
    "secure_scheme_headers": "SecureSchemeHeader",
    "forwarded_allow_ips": "ForwardedAllowIPS",
    "accesslog": "AccessLog",
    "errorlog": "ErrorLog",
    "logconfig": "LogConfig",
    "logconfig_dict": "LogConfigDict",
    "logconfig_json": "LogConfigJson",
    "syslog_addr": "SyslogTo",
    "enable_backlog_metric": "BacklogMetric",
    "proc_name": "Procname",
    "pythonpath": "PythonPath",
    "pre_fork": "Prefork",
    "post_fork": "Postfork",
    "nworkers_changed": "NumWorkersChanged",
    "ssl_context": "NewSSLContext",
    "proxy_allow_ips": "ProxyAllowFrom",
    "uwsgi_allow_ips": "UWSGIAllowFrom",
    "keyfile": "KeyFile",
    "certfile": "CertFile",
    "suppress_ragged_eofs": "SuppressRaggedEOFs",
    "raw_paste_global_conf": "PasteGlobalConf",
    "websocket_max_message_size": "WebSocketMaxMessageSize",
}
"""What gunicorn calls the classes of its settings, where their names don't tell."""

ACRONYMS: Final = {
    part.lower(): part for part in ("WSGI", "SSL", "CA", "HTTP", "HTTP2", "ASGI")
}

PROTOCOL_TLS: Final = 2
"""Python's ``ssl.PROTOCOL_TLS``; ``ssl`` is not loaded before gevent has patched."""


def ours() -> list[tuple[str, OurSetting[Any]]]:
    """All settings with their sections, gunicorn's first, in its order."""
    theirs = {name: key for key, text in SECTIONS.items() for name in text.split()}
    found = [(section, OurConfig.settings[name]) for name, section in theirs.items()]
    rest = (one for name, one in OurConfig.settings.items() if name not in theirs)
    return [*found, *(("Tiamat", one) for one in rest)]


def class_name(name: str) -> str:
    """What gunicorn calls the class of a setting."""
    parts = (ACRONYMS.get(part, part.capitalize()) for part in name.split("_"))
    return CLASSES.get(name) or "".join(parts)


def default(setting: OurSetting[Any]) -> Any:
    """The value of a setting that nobody sets, in this environment."""
    source = setting.environ
    if source is not None and (text := os.environ.get(source.variable)):
        return theirs(setting.name, setting.kind.convert(source.template.format(text)))
    return theirs(setting.name, copy.copy(setting.default))


def theirs(name: str, value: Any, config: "Config | None" = None) -> Any:
    """
    A value of ours, as gunicorn's code expects to find it.

    Args:
        name: of the setting.
        value: a checked one.
        config: all settings, where some depend on others.
    """
    if value is None:
        return unset(name, config)
    if type(value) is float and value.is_integer():
        return int(value)  # its times are whole numbers, and go into signal.alarm()
    translate = VALUES.get(name)
    return translate(value, config) if translate else value


def unset(name: str, config: "Config | None") -> Any:
    """What gunicorn has for a setting that has no value here."""
    if name in HOOKS:
        return HOOKS[name]
    if name == "default_proc_name":
        return (config and config.app) or "gunicorn"
    return {"worker_class": "sync", "ssl_version": PROTOCOL_TLS}.get(name)


def idle(*arguments: object) -> None:
    """A hook that nobody set."""


def default_context(config: Any, default_ssl_context_factory: Callable[[], Any]) -> Any:
    """The hook ``ssl_context`` that nobody set."""
    return default_ssl_context_factory()


HOOKS: Final[dict[str, Callable[..., Any]]] = {
    **dict.fromkeys((SECTIONS["Dirty Arbiter Hooks"]).split(), idle),
    **dict.fromkeys((SECTIONS["Server Hooks"]).split(), idle),
    "ssl_context": default_context,
}


def first_certificate(value: Any, config: "Config | None") -> Any:
    """The file of the one that everybody else gets: gunicorn knows one only."""
    if isinstance(value, str) or config is None:
        return value
    return config.certificates[0][0]


def configuration_file(value: str, config: "Config | None") -> str:
    """The file that was read, or would be."""
    return (config and config.sources.path) or value or "./gunicorn.conf.py"


VALUES: Final[dict[str, Callable[[Any, "Config | None"], Any]]] = {
    "certfile": first_certificate,
    "config": configuration_file,
    "control_socket": lambda value, _: value if isinstance(value, str) else "",
    "logger_class": lambda value, _: (
        "gunicorn.glogging.Logger" if value == OURS else value
    ),
    "statsd_host": lambda value, _: statsd.split(value),
}
