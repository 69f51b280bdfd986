"""What settings name: classes and functions to import, and logs to open."""

import os
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from tiamat.config import code
from tiamat.config.asgi import LOOPS
from tiamat.config.protocols import PARSER_CLASSES
from tiamat.errors import ConfigError

OURS: Final = "tiamat.observe.log:Log"

LOGGER_CLASSES: Final = dict.fromkeys(
    (
        *("simple", "gunicorn.glogging.Logger", "gunicorn.glogging:Logger"),
        "gunicorn.instrument.statsd.Statsd",
    ),
    OURS,
)
"""What a configuration calls gunicorn's own logger, which is ours here."""

if TYPE_CHECKING:
    from tiamat.config import Config
    from tiamat.observe.log import Log
    from tiamat.observe.syslog import Syslog


def may_write(path: str) -> None:
    """
    See whether a file can be opened as a log is.

    Raises:
        OSError: it can't.
    """
    from tiamat.observe.sink import FLAGS

    os.close(os.open(path, FLAGS, 0o644))


def open_log(config: "Config") -> "Log":
    """
    The logs that the settings ask for.

    Raises:
        ConfigError: the class can't be imported, or a file not opened.
    """
    try:
        if config.stdout_path:  # before other logs lose their places to these
            may_write(config.stdout_path)
        log = make_log(config, logger_class(config))
        if config.stdout_path:
            log.print_to(config.stdout_path)
    except OSError as error:
        names = "logconfig", "logconfig_json", "accesslog", "errorlog", "stdout_path"
        for name in names:
            if error.filename and error.filename == config.values[name]:
                config.refuse(name, f"can't be opened: {error.strerror}")
        raise ConfigError(f"can't open the logs: {error}") from error
    except ValueError as error:
        name = logging_setting(config)
        config.refuse(name, f"is no logging configuration: {error}")
    return log


def make_log(config: "Config", kind: Any) -> "Log":
    """
    Make the logs of a class of ours, or of one that was written for gunicorn.

    Raises:
        OSError, ValueError: as the class says.
        ConfigError: the class is one of the user's, and fails.
    """
    if getattr(kind, "takes_views", False):
        make = kind
    elif is_foreign(kind):
        adapter: Any = code.imported("tiamat.compat.foreign_logger:ForeignLogger")
        make = partial(adapter, kind)
    else:
        log: Log = kind(
            config.errorlog,
            config.accesslog,
            level=config.loglevel,
            capture_output=config.capture_output,
            logconfig=logging_configuration(config),
            **({"syslog": wanted} if (wanted := syslog(config)) is not None else {}),
        )
        if config.statsd_host and hasattr(kind, "statsd"):
            log.statsd = statsd(config)  # type: ignore[attr-defined]
        return log
    try:
        log = make(config)
    except (OSError, ValueError, ConfigError):
        raise
    except Exception as error:
        config.refuse("logger_class", f"fails: {type(error).__name__}: {error}")
    return log


def syslog(config: "Config") -> "Syslog | None":
    """
    What the settings want of syslog.

    Raises:
        ConfigError: the daemon's host is not known.
    """
    if not config.syslog:
        return None
    from tiamat.observe.syslog import FACILITIES, Syslog, find

    try:
        daemon = find(config.syslog_addr)
    except OSError as error:
        config.refuse("syslog_addr", f"has no address: {error.strerror}")
    name = config.syslog_prefix or config.proc_name or str(config.app or "tiamat")
    return Syslog(
        daemon,
        FACILITIES[config.syslog_facility],
        # gunicorn's tag, which rules of syslog daemons look for.
        f"gunicorn.{name.replace(':', '.')}",
        access=not config.disable_redirect_access_to_syslog,
    )


def statsd(config: "Config") -> Any:
    """
    The way to the statsd daemon of the settings.

    Raises:
        ConfigError: its host is not known.
    """
    from tiamat.observe.statsd import Statsd

    host = str(config.statsd_host)
    try:
        return Statsd(host, config.statsd_prefix, config.dogstatsd_tags)
    except OSError as error:
        config.refuse("statsd_host", f"has no address: {error.strerror}")


def is_foreign(kind: Any) -> bool:
    """Whether a logger class knows gunicorn's contract and nothing of ours."""
    return hasattr(kind, "reopen_files") and not hasattr(kind, "access_wanted")


def logging_setting(config: "Config") -> str:
    """The setting that has the logging configuration which counts: gunicorn's order."""
    names = ("logconfig_dict", "logconfig_json")
    return next((name for name in names if config.values[name]), "logconfig")


def logging_configuration(config: "Config") -> str | dict[str, Any] | None:
    """
    A dictionary, the name of an INI file, or nothing.

    Raises:
        OSError: there is no such JSON file.
        ValueError: it has no dictionary.
    """
    name = logging_setting(config)
    value: str | dict[str, Any] | None = config.values[name]
    if name == "logconfig_json":
        from tiamat.observe import logconfig

        return logconfig.load(str(value))
    return value


def logger_class(config: "Config") -> Any:
    """
    The class that writes the logs.

    Raises:
        ConfigError: it can't be imported.
    """
    kind = config.logger_class
    if not isinstance(kind, str):
        return kind
    kind = LOGGER_CLASSES.get(kind, kind)
    if config.statsd_host and kind == OURS:
        kind = "tiamat.observe.statsd_log:StatsdLog"
    return imported(config, "logger_class", kind)


def parser(config: "Config") -> Any:
    """
    The class that parses requests.

    Raises:
        ConfigError: it can't be imported.
    """
    name = config.http_parser
    return imported(config, "http_parser", PARSER_CLASSES.get(name, name))


def loop_factory(config: "Config") -> Callable[[], Any]:
    """
    What makes an event loop: no arguments, a new loop each time it is called.

    Raises:
        ConfigError: it can't be imported, or can't be called.
    """
    name = config.asgi_loop
    if name == "auto":
        name = "uvloop" if find_spec("uvloop") else "asyncio"
    factory = imported(config, "asgi_loop", LOOPS.get(name, name))
    if not callable(factory):
        config.refuse("asgi_loop", "is not a function that makes an event loop")
    made: Callable[[], Any] = factory
    return made


def imported(config: "Config", name: str, path: str) -> Any:
    """What stands under the dotted *path*, for the setting *name*."""
    try:
        return code.imported(path)
    except ValueError as error:
        config.refuse(name, str(error))
    except Exception as error:  # of the module's own
        config.refuse(name, f"fails: {type(error).__name__}: {error}")


def check_status(config: "Config") -> None:
    """
    See that what ``status_bind`` needs is installed, without importing it.

    Raises:
        ConfigError: it is not.
    """
    if config.status_bind and find_spec("prometheus_client") is None:
        config.refuse(
            "status_bind",
            "needs the package prometheus-client: pip install 'tiamat-server[metrics]'",
        )
