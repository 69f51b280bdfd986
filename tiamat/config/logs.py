"""What is written about the server's work, and where."""

from typing import Final

from tiamat.config import http_kinds, kinds
from tiamat.config.code import a_class
from tiamat.config.setting import Section, Setting

COMBINED: Final = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'


class Logs(Section):
    """Logs"""

    accesslog = Setting(
        "--access-logfile",
        type=kinds.optional(kinds.path),
        default=None,
        help="""
            The file of the access log; `-` is the standard output.

            Without it there is none.
        """,
    )
    access_log_format = Setting(
        "--access-logformat",
        type=http_kinds.access_format,
        default=COMBINED,
        help="""
            The format of the lines of the access log.

            logs.md lists what it may contain. `json` writes a JSON object each.
        """,
    )
    errorlog = Setting(
        "--error-logfile",
        "--log-file",
        type=kinds.path,
        default="-",
        help="The file of the error log; `-` is the standard error.",
    )
    loglevel = Setting(
        "--log-level",
        type=kinds.one_of(
            *("debug", "info", "warning", "error", "critical"),
            also={"warn": "warning", "fatal": "critical"},  # as logging has them
        ),
        default="info",
        help="The least important lines that the error log gets.",
    )
    capture_output = Setting(
        "--capture-output",
        type=kinds.switch,
        default=False,
        help="""
            What the application prints goes to the file of the error log.

            No effect if `errorlog` is the standard error.
        """,
    )
    enable_stdio_inheritance = Setting(
        "-R",
        "--enable-stdio-inheritance",
        type=kinds.switch,
        default=False,
        help="""
            A daemon keeps its standard output and standard error.

            Otherwise it lets go of both when it serves. Python buffers what an
            application prints into a file or a pipe, unless `PYTHONUNBUFFERED` is set.
        """,
    )
    stdout_path = Setting(
        type=kinds.optional(kinds.path),
        default=None,
        help="""
            A file for the standard output of all processes; USR1 opens it again.

            Wins over `capture_output`, which sends it to the file of the error log.
        """,
    )
    logger_class = Setting(
        "--logger-class",
        type=a_class,
        default="tiamat.observe.log:Log",
        help="""
            The class that writes the logs: `module:Class`.

            A subclass of `tiamat.observe.log.Log`, or what has its methods; or one of
            gunicorn's `Logger`, which is `tiamat.compat.logger.Logger` here.
        """,
    )
    logconfig = Setting(
        "--log-config",
        type=kinds.optional(kinds.path),
        default=None,
        help="""
            A file for `logging.config.fileConfig`.

            Our loggers are `tiamat.error` and `tiamat.access`; what it says about
            `gunicorn.error` and `gunicorn.access` holds for them too.
        """,
    )
    logconfig_dict = Setting(
        type=kinds.mapping,
        default={},
        help="""
            A dictionary for `logging.config.dictConfig`.

            It wins over `logconfig_json`, and that over `logconfig`.
        """,
    )
    logconfig_json = Setting(
        "--log-config-json",
        type=kinds.optional(kinds.path),
        default=None,
        help="A JSON file with such a dictionary.",
    )
    syslog = Setting(
        "--log-syslog",
        type=kinds.switch,
        default=False,
        help="Whether both logs go to a syslog daemon as well.",
    )
    syslog_addr = Setting(
        "--log-syslog-to",
        type=http_kinds.syslog_address,
        default="udp://localhost:514",
        help="""
            Where the syslog daemon is.

            `unix://PATH`, with `#dgram` or `#stream` behind it if it is to be one of
            the two; `udp://HOST:PORT`; `tcp://HOST:PORT`.
        """,
    )
    syslog_prefix = Setting(
        "--log-syslog-prefix",
        type=kinds.optional(kinds.text),
        default=None,
        help="""
            The program's name in syslog: `gunicorn.PREFIX.error`, or `….access`.

            By default it is `proc_name`, or else the application.
        """,
    )
    syslog_facility = Setting(
        "--log-syslog-facility",
        type=http_kinds.syslog_facility,
        default="user",
        help="The facility in syslog, such as `user`, `daemon` or `local0`.",
    )
    disable_redirect_access_to_syslog = Setting(
        "--disable-redirect-access-to-syslog",
        type=kinds.switch,
        default=False,
        help="Whether the access log stays out of syslog.",
    )
    statsd_host = Setting(
        "--statsd-host",
        type=http_kinds.statsd_address,
        default=None,
        help="""
            A statsd daemon that gets figures: `HOST:PORT`, or `unix://PATH`.

            metrics.md lists them. They need the default `logger_class`.
        """,
    )
    statsd_prefix = Setting(
        "--statsd-prefix",
        type=kinds.text,
        default="",
        help="What stands before the names of those figures; a dot is added.",
    )
    dogstatsd_tags = Setting(
        "--dogstatsd-tags",
        type=kinds.text,
        default="",
        help="Tags of all those figures, as dogstatsd has them: `env:prod,site`.",
    )
    enable_backlog_metric = Setting(
        "--enable-backlog-metric",
        type=kinds.switch,
        default=False,
        help="Whether one of them is how many connections wait in the kernel.",
    )
