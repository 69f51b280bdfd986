"""
What takes more than one value: checked and completed when all sources are read.

A function each, in the order of ``finish``. What concerns one kind of settings is with
that: ``application``, ``tls``.
"""

import contextlib
import os
import pwd
from typing import TYPE_CHECKING

from tiamat.config import application, environment, foreign, http2, tls
from tiamat.config.accepted import INSTEAD

if TYPE_CHECKING:
    from tiamat.config.config import Config


def finish(config: "Config") -> None:
    """
    Check what takes more than one value, and complete what is relative.

    Raises:
        ConfigError: two values contradict each other, or the system.
    """
    application.finish_script(config)
    config.app = application.name_of(config)
    finish_directory(config)
    finish_user(config)
    tls.finish(config)
    finish_logs(config)
    note_without_effect(config)
    environment.from_file(config)  # what is wrong with it is said now
    if config.max_surge == config.max_unavailable == 0:
        config.refuse(
            "max_surge",
            "and max_unavailable = 0 leave no way to replace a worker;"
            " set one of them to 1",
        )


def finish_directory(config: "Config") -> None:
    """A relative one is relative to where the command was given."""
    chosen = config.chdir if "chdir" in config.origins else "."
    path = os.path.normpath(os.path.join(config.sources.cwd, chosen))
    config.values["chdir"] = path
    if not os.path.isdir(path):
        config.refuse("chdir", "is no directory")


def finish_user(config: "Config") -> None:
    """Only root changes users; without a group, workers get the user's own."""
    if "user" not in config.origins:
        return
    if os.geteuid() not in (0, config.user):
        config.refuse("user", "can't be: only root runs workers as somebody else")
    if "group" not in config.origins:
        with contextlib.suppress(KeyError):  # a number that has no account
            config.values["group"] = pwd.getpwuid(config.user).pw_gid
            config.origins["group"] = f"login group of user, {config.origin('user')}"


def finish_logs(config: "Config") -> None:
    """A PasteDeploy file may say how to log; some files can say it to nobody."""
    if (path := application.logging_file(config)) and not config.logconfig:
        config.values["logconfig"] = path
        config.origins["logconfig"] = f"paste, {config.origin('paste')}"
    if config.capture_output and config.errorlog == "-":
        where = config.origin("capture_output")
        config.warnings.append(
            f"{where}: capture_output has no effect without a file for errorlog:"
            " what the application prints goes to the standard error already"
        )
    note_unknown_atoms(config)
    if (config.logconfig or "").endswith((".json", ".yaml", ".yml")):
        config.refuse(
            "logconfig",
            "is no file of logging.config.fileConfig; --log-config-json reads"
            " JSON, and logconfig_dict, in the configuration file, is all else",
        )


def note_unknown_atoms(config: "Config") -> None:
    """gunicorn never says that an atom is none."""
    if "access_log_format" not in config.origins:
        return
    from tiamat.observe.access import NUMBERS, TEXTS, unknown_atoms

    for name in unknown_atoms(config.access_log_format):
        config.warnings.append(
            f"{config.origin('access_log_format')}: there is no atom %({name})s, so it"
            f" will be a dash; there are {' '.join([*TEXTS, *NUMBERS])} {{Name}}i"
            " {Name}o {NAME}e"
        )


def note_without_effect(config: "Config") -> None:
    """Say what somebody has asked for in vain, once, and what is so instead."""
    for name, instead in INSTEAD.items():
        if config.values[name] != config.settings[name].default:
            where = config.origin(name)
            config.warnings.append(f"{where}: {name} has no effect: {instead}")
    if text := foreign.note(config.worker_class):
        config.warnings.append(f"{config.origin('worker_class')}: {text}")
    for name in http2.wanted(config.values):
        config.warnings.append(f"{config.origin(name)}: {name}: {http2.WANTED}")
