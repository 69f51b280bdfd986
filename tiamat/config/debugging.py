"""Looking at the settings instead of serving."""

from tiamat.config import kinds
from tiamat.config.setting import Section, Setting


class Debugging(Section):
    """Developing, and looking before leaping"""

    reload = Setting(
        "--reload",
        type=kinds.switch,
        default=False,
        help="""
            Reload when the code has changed. For developing, not for production.

            Watched are the modules that a worker has loaded, the configuration file and
            `reload_extra_files`. An application that can't be loaded is no end: its
            traceback is served as a page until the next change. With the package
            `watchfiles` changes are noticed at once, without it within a second. See
            reload.md.
        """,
    )
    reload_engine = Setting(
        "--reload-engine",
        type=kinds.one_of("auto", "poll", "inotify"),
        default="auto",
        help="""
            How changes are noticed: `inotify` has the system tell, `poll` looks.

            `auto` is `inotify` where that works. Where files come from another machine,
            or from that of a container, `poll` may be quicker.
        """,
    )
    reload_extra_files = Setting(
        "--reload-extra-file",
        type=kinds.paths,
        default=[],
        help="""
            One more file to watch under `reload`: a template, say, or a setting.

            Relative to `chdir`. It may be a pattern, `templates/**/*.html`, which new
            files match, too. Repeat the flag for several.
        """,
    )
    spew = Setting(
        "--spew",
        type=kinds.switch,
        default=False,
        help="""
            Write every line of Python that a worker executes to the standard error.

            To see where it hangs, when all else fails; it is very slow.
        """,
    )

    check_config = Setting(
        "--check-config",
        type=kinds.switch,
        default=False,
        help="""
            Check all that can be checked without serving, and exit: 0 is good, 1 not.

            The settings, the application (it is imported, in a process of its own),
            worker class, logger, addresses and files; a line for each problem.
        """,
    )
    print_config = Setting(
        "--print-config",
        type=kinds.switch,
        default=False,
        help="Print every setting and where its value comes from, and exit.",
    )
