"""
gunicorn's settings, on ours: to read what is in force, or to say what shall be.

``Config.view(config)`` shows our settings as gunicorn's code knows them. A ``Config``
made without ours is filled by ``set``; ``given`` tells what was said, for ours.
"""

import argparse
import copy
import ipaddress
import os
import shlex
import sys
from collections.abc import Container, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from tiamat.compat import settings
from tiamat.compat.setting import KNOWN_SETTINGS, Known, Setting, SettingMeta, known
from tiamat.compat.validators import *  # noqa: F403 - gunicorn has them here
from tiamat.config.sources import ARGUMENTS

if TYPE_CHECKING:
    from tiamat.config.config import Config as OurConfig

__all__ = ["KNOWN_SETTINGS", "Config", "Setting", "SettingMeta", "make_settings"]

PLATFORM: Final = sys.platform

VALID_HTTP_PROTOCOLS: Final = frozenset(("h1", "h2"))
ALPN_PROTOCOL_MAP: Final = {"h1": "http/1.1", "h2": "h2"}


globals().update(
    (one.__name__, one) for one in (known(*pair) for pair in settings.ours())
)


def make_settings(ignore: Container[Any] | None = None) -> dict[str, Any]:
    """All settings with their defaults, but for those of these names."""
    made = (one() for one in KNOWN_SETTINGS)
    return {one.name: one for one in made if one.name not in (ignore or ())}


def auto_int(_: Any, x: str) -> int:
    """A number as Python writes it, or octal with a leading zero."""
    if len(x) > 1 and x.startswith("0") and x.isdecimal():
        return int(x, 8)
    return int(x, 0)


def get_default_config_file() -> str | None:
    """The configuration file that lies here, if one does."""
    path = os.path.abspath("gunicorn.conf.py")
    return path if os.path.exists(path) else None


class Config:
    """
    All settings; each reads as an attribute.

    Attributes:
        settings: by name.
        env_orig: the environment that the server was started in.
        ours: our settings, of a view of them.
    """

    settings: dict[str, Any]
    usage: str | None = None
    prog: str | None = None
    env_orig: dict[str, str] = dict(os.environ)  # noqa: RUF012 - subclasses may not call __init__
    ours: "OurConfig | None" = None

    def __init__(self, usage: str | None = None, prog: str | None = None) -> None:
        self.settings = make_settings()
        self.usage = usage
        self.prog = prog or os.path.basename(sys.argv[0])
        self.env_orig = dict(os.environ)

    @classmethod
    def view(cls, config: "OurConfig") -> "Config":
        """
        Our settings: what they are at any time, and what sets them.

        Those that a program has said in a ``Config`` of its own, which is ``theirs`` of
        ours, are such a one: it has settings of plugins, too.
        """
        theirs = getattr(config, "theirs", None)
        made = copy.copy(theirs) if isinstance(theirs, Config) else cls()
        made.ours = config
        made.env_orig = dict(config.sources.environ) or made.env_orig
        made.settings = {name: one.copy() for name, one in made.settings.items()}
        for setting in made.settings.values():
            if isinstance(setting, Known):
                setting.config = config
        return made

    def given(self) -> dict[str, Any]:
        """What somebody has said of our settings: by name, as it was said."""
        return {
            name: one.raw
            for name, one in self.settings.items()
            if isinstance(one, Known) and one.raw is not Setting.UNSAID
        }

    def __getattr__(self, name: str) -> Any:
        if name == "settings" or name not in self.settings:
            raise AttributeError(f"there is no setting {name}")
        return self.settings[name].get()

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "settings" and name in self.settings:
            raise AttributeError(f"Invalid access! Use set({name!r}, …)")
        super().__setattr__(name, value)

    def set(self, name: str, value: Any) -> None:
        """
        Set a setting.

        Raises:
            AttributeError: there is none of this name.
            TypeError, ValueError, ConfigError: it is no value for it.
        """
        if name not in self.settings:
            raise AttributeError(f"there is no setting {name}")
        self.settings[name].set(value)

    def validate(self) -> None:
        """Nothing: what takes more than one setting is checked at the start."""

    def __str__(self) -> str:
        width = max(map(len, self.settings))
        return "\n".join(
            f"{name:{width}} = {shown(one.value)}"
            for name, one in sorted(self.settings.items())
        )

    # --- Command lines --------------------------------------------------------

    def get_cmd_args_from_env(self) -> list[str]:
        """The words of the command line that the environment holds."""
        name = next((one for one in ARGUMENTS if one in self.env_orig), "")
        return shlex.split(self.env_orig.get(name, ""))

    def parser(self) -> argparse.ArgumentParser:
        """What reads command lines; the rest of the words is ``args``."""
        from tiamat.compat.gunicorn import __version__

        parser = argparse.ArgumentParser(prog=self.prog, usage=self.usage)
        version = f"%(prog)s (version {__version__})"
        parser.add_argument("-v", "--version", action="version", version=version)
        parser.add_argument("args", nargs="*", help=argparse.SUPPRESS)
        for setting in sorted(self.settings.values()):
            setting.add_option(parser)
        return parser

    # --- What follows from them -----------------------------------------------

    @property
    def worker_class_str(self) -> str:
        """The worker class in a word; one with threads where they ask for that."""
        kind = self.settings["worker_class"].get()
        name = kind if isinstance(kind, str) else kind.__name__
        synchronous = name.endswith("SyncWorker") or name == "sync"
        return "gthread" if synchronous and self.threads > 1 else name

    @property
    def worker_class(self) -> Any:
        """The worker class, set up."""
        kind = self.settings["worker_class"].get()
        name = self.worker_class_str
        kind = load_class(name if name == "gthread" else kind)
        if hasattr(kind, "setup"):
            kind.setup()
        return kind

    @property
    def logger_class(self) -> Any:
        """The class of the logger, set up."""
        usual = "gunicorn.glogging.Logger"
        kind = self.settings["logger_class"].get()
        if kind in (None, "simple", usual):
            kind = "gunicorn.instrument.statsd.Statsd" if self.statsd_host else usual
        kind = load_class(kind, usual, "gunicorn.loggers")
        if hasattr(kind, "install"):
            kind.install()
        return kind

    @property
    def address(self) -> list[Any]:
        """The addresses: ``(host, port)``, a path, or the number of a descriptor."""
        util = import_module("tiamat.compat.gunicorn.util")
        return [util.parse_address(text) for text in self.settings["bind"].get()]

    @property
    def uid(self) -> int:
        """The number of the workers' user."""
        return int(self.settings["user"].get())

    @property
    def gid(self) -> int:
        """The number of the workers' group."""
        return int(self.settings["group"].get())

    @property
    def proc_name(self) -> str | None:
        """What processes are called."""
        name: str | None = self.settings["proc_name"].get()
        return name if name is not None else self.settings["default_proc_name"].get()

    @property
    def is_ssl(self) -> bool:
        """Whether connections are to speak TLS."""
        if self.ours is not None:
            return self.ours.is_ssl
        return bool(self.certfile or self.keyfile)

    @property
    def ssl_options(self) -> dict[str, Any]:
        """The settings of TLS, by name."""
        names = settings.SECTIONS["SSL"].split()
        return {name: self.settings[name].get() for name in names}

    @property
    def env(self) -> dict[str, str]:
        """``raw_env`` as a dictionary."""
        pairs = (text.partition("=") for text in self.settings["raw_env"].get())
        return {name: value for name, _, value in pairs}

    @property
    def sendfile(self) -> bool:
        """Whether files may be sent by the kernel."""
        return bool(self.settings["sendfile"].get())

    @property
    def reuse_port(self) -> bool:
        """Whether others may listen on the same port."""
        return bool(self.settings["reuse_port"].get())

    @property
    def paste_global_conf(self) -> dict[str, str] | None:
        """``raw_paste_global_conf`` as a dictionary; None if there is none."""
        texts = self.settings["raw_paste_global_conf"].get()
        pairs = (text.partition("=") for text in texts)
        return {name: value for name, _, value in pairs} or None

    def forwarded_allow_networks(self) -> list[Any]:
        """The networks of ``forwarded_allow_ips``; ``*`` is none."""
        return networks(self.settings["forwarded_allow_ips"].get())

    def proxy_allow_networks(self) -> list[Any]:
        """The networks of ``proxy_allow_ips``; ``*`` is none."""
        return networks(self.settings["proxy_allow_ips"].get())


def networks(texts: Iterable[str]) -> list[Any]:
    """The networks that are written there, but for ``*``."""
    return [ipaddress.ip_network(text) for text in texts if text != "*"]


def load_class(uri: Any, *usual: str) -> Any:
    """The class behind a name, by gunicorn's rules for them."""
    return import_module("tiamat.compat.gunicorn.util").load_class(uri, *usual)


def shown(value: Any) -> object:
    """A value, for people."""
    return f"<{value.__qualname__}()>" if callable(value) else value
