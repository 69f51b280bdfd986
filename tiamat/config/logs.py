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
        type=kinds.one_of("debug", "info", "warning", "error", "critical"),
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
