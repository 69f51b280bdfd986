"""
Functions of the user's, called at named moments; for configuration files only.

A hook that nobody set is None. ``server`` is a view of the master, ``worker`` the
worker, which both keep attributes that hooks put on them.
"""

from tiamat.config.code import hook
from tiamat.config.setting import Section, Setting


class Hooks(Section):
    """Server hooks"""

    on_starting = Setting(
        type=hook("server"),
        default=None,
        help="In the master, before it binds its sockets. An exception ends the start.",
    )
    on_reload = Setting(
        type=hook("server"),
        default=None,
        help="In the master, on HUP, when the new settings stand.",
    )
    when_ready = Setting(
        type=hook("server"),
        default=None,
        help="In the master, when its sockets are bound, before the first worker.",
    )
    pre_fork = Setting(
        type=hook("server", "worker"),
        default=None,
        help="""
            Before each worker is forked, where that is done.

            In the master; with `preload_app` in the process that has loaded the
            application.
        """,
    )
    post_fork = Setting(
        type=hook("server", "worker"),
        default=None,
        help="""
            In the worker, right after the fork.

            It still has the master's privileges and has not loaded the application.
        """,
    )
    post_worker_init = Setting(
        type=hook("worker"),
        default=None,
        help="In the worker, when the application is loaded.",
    )
    check_worker = Setting(
        type=hook("worker"),
        default=None,
        help="""
            In the first worker of a reload, before it accepts connections.

            If it raises an exception or returns False, the reload is refused.
        """,
    )
    worker_int = Setting(
        type=hook("worker"),
        default=None,
        help="In the worker, on INT and QUIT.",
    )
    worker_abort = Setting(
        type=hook("worker"),
        default=None,
        help="In the worker, on ABRT: it was silent for too long.",
    )
    pre_exec = Setting(
        type=hook("server"),
        default=None,
        help="In the process forked on USR2, before it becomes the new master.",
    )
    pre_request = Setting(
        type=hook("worker", "req"),
        default=None,
        help="In the worker, before a request goes to the application.",
    )
    post_request = Setting(
        type=hook("worker", "req", "environ", "resp", least=2),
        default=None,
        help="""
            In the worker, after a response; may take the first two or three only.
        """,
    )
    on_worker_message = Setting(
        type=hook("server", "worker", "message"),
        default=None,
        help="""
            In the master, when a worker has posted a message to it.

            The message has `data`, `topic` and `sender`, a slot. Until the hook
            returns, the master does nothing else.
        """,
    )
    child_exit = Setting(
        type=hook("server", "worker"),
        default=None,
        help="In the master, when a worker has exited.",
    )
    worker_exit = Setting(
        type=hook("server", "worker"),
        default=None,
        help="In the worker, just before it exits.",
    )
    nworkers_changed = Setting(
        type=hook("server", "new_value", "old_value"),
        default=None,
        help="""
            In the master, when the number of workers changed.

            At the start, before all other hooks, the old value is None.
        """,
    )
    on_exit = Setting(
        type=hook("server"),
        default=None,
        help="In the master, as the last thing.",
    )
