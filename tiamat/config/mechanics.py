"""Files, users, directories: how the server lives on its machine."""

import os

from tiamat.config import kinds
from tiamat.config.setting import FromEnviron, Section, Setting


class Mechanics(Section):
    """Server mechanics"""

    config = Setting(
        "-c",
        "--config",
        type=kinds.text,
        default="",
        help="""
            The configuration file: `PATH`, `file:PATH` or `python:MODULE`.

            Without it `./tiamat.conf.py` is read, or else `./gunicorn.conf.py`, if
            there is one. It is Python; each of its names that is a setting sets it.
        """,
    )
    wsgi_app = Setting(
        type=kinds.optional(kinds.text),
        default=None,
        help="""
            The application, when the command line names none: `module:name`.
        """,
    )
    paste = Setting(
        "--paste",
        "--paster",
        type=kinds.optional(kinds.path),
        default=None,
        help="""
            The application, by a PasteDeploy file: `production.ini#section`.

            The section is `main` if none is given. If the file says how to log, that
            holds, too. Needs `pip install PasteDeploy`.
        """,
    )
    raw_paste_global_conf = Setting(
        "--paste-global",
        type=kinds.variables,
        default=[],
        help="""
            A variable that the PasteDeploy file refers to, `name=value`.

            Repeat the flag for several.
        """,
    )
    chdir = Setting(
        "--chdir",
        type=kinds.path,
        default=".",
        help="""
            The directory to work in; it is also where Python looks for modules first.

            Relative to where the command was given.
        """,
    )
    pythonpath = Setting(
        "--pythonpath",
        type=kinds.optional(kinds.text),
        default=None,
        help="Directories where Python looks for modules too, with commas between.",
    )
    raw_env = Setting(
        "-e",
        "--env",
        type=kinds.variables,
        default=[],
        help="""
            A variable for the application's environment, `NAME=VALUE`.

            Repeat the flag for several.
        """,
    )
    env_file = Setting(
        "--env-file",
        type=kinds.optional(kinds.path),
        default=None,
        help="""
            A file of variables for the application's environment, `NAME=VALUE` each.

            Lines that begin with `#` are comments; values may be in quotes. What the
            environment has already is stronger, and `raw_env` is strongest. Relative to
            where the command was given; read again on a reload.
        """,
    )
    reexec_mode = Setting(
        "--reexec-mode",
        type=kinds.one_of("manual", "auto"),
        default="manual",
        help="""
            What the old master does after USR2, when the new one serves.

            `manual`, as in gunicorn: it goes on, until WINCH retires its workers and
            TERM ends it. `auto`: it retires its workers itself and ends after
            `reload_watch` seconds; if the new master dies within that time, it comes
            back. See signals.md.
        """,
    )
    daemon = Setting(
        "-D",
        "--daemon",
        type=kinds.switch,
        default=False,
        help="Go into the background. Under systemd or in a container, don't.",
    )
    pidfile = Setting(
        "-p",
        "--pid",
        type=kinds.optional(kinds.path),
        default=None,
        help="""
            A file for the pid of the master; beside `-s`, `-p` is the port instead.

            It stays locked while the master lives, so that a second one with the
            same file refuses to start, and one left behind does no harm.
        """,
    )
    quit_signal = Setting(
        "--quit-signal",
        type=kinds.one_of("immediate", "graceful"),
        default="immediate",
        help="""
            What QUIT does: `immediate`, as in gunicorn, or `graceful`, as TERM does.

            For those who are used to it from nginx, unicorn or the first Tiamat.
        """,
    )
    proc_name = Setting(
        "-n",
        "--name",
        type=kinds.optional(kinds.text),
        default=None,
        help="""
            The name of the processes in `ps`, when `setproctitle` is installed.

            By default that of the application.
        """,
    )
    user = Setting(
        "-u",
        "--user",
        type=kinds.user,
        default=os.geteuid(),
        help="""
            The user that workers run as, by name or number.

            Only root may run them as somebody else.
        """,
    )
    group = Setting(
        "-g",
        "--group",
        type=kinds.group,
        default=os.getegid(),
        help="""
            The group that workers run as, by name or number.

            With `user` and without this, it is the login group of that user. (In
            gunicorn workers then keep the group of root.)
        """,
    )
    initgroups = Setting(
        "--initgroups",
        type=kinds.switch,
        default=False,
        help="""
            Workers also get the other groups of their user.

            Without it they have no group but `group`.
        """,
    )
    umask = Setting(
        "-m",
        "--umask",
        type=kinds.mode,
        default=0,
        help="""
            The permissions that new files don't get, in octal: `027`.

            The default 0 takes nothing away: it lets a proxy of another user
            connect to a Unix socket.
        """,
    )
    tmp_upload_dir = Setting(
        type=kinds.optional(kinds.path),
        default=None,
        help="""
            The directory for bodies that outgrow memory.

            By default the system's for temporary files. Its files have no names
            and vanish with the worker.
        """,
    )
    control_socket = Setting(
        "--control-socket",
        type=kinds.control,
        default=False,
        help="""
            A Unix socket for `tiamatctl`: its path, or True for the usual place.

            Off by default. True means `$RUNTIME_DIRECTORY/control`, as systemd sets
            it, or else `$XDG_RUNTIME_DIR/tiamat/NAME`, where NAME is `proc_name` or
            the application. Only root and the user of the master may ask there.
            See control.md.
        """,
    )
    control_socket_disable = Setting(
        "--no-control-socket",
        type=kinds.switch,
        default=False,
        help="""
            There is no control socket, whatever `control_socket` says.

            For who overrides a configuration file; it is off by default anyway, unlike
            gunicorn's.
        """,
    )
    sendfile = Setting(
        "--no-sendfile",
        type=kinds.switch,
        default=True,
        environ=FromEnviron("SENDFILE"),
        help="""
            Files of the application are sent by the kernel (`sendfile`).

            The flag, or False in a file, switches it off. (In gunicorn also
            `sendfile = True` switches it off; here it does not.)
        """,
    )
