"""
The first Tiamat's configuration: a file whose ``load()`` returns a dictionary.

It was a server for node.js; its keys mean settings of ours.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from tiamat.config.code import positional_count
from tiamat.errors import ConfigError

if TYPE_CHECKING:
    from tiamat.config.files import ConfigFile

KEYS: Final = {
    "backlog": "backlog",
    "daemonize": "daemon",
    "pidfile": "pidfile",
    "stdout_path": "stdout_path",
    "timeout": "timeout",
    "worker_app": "script",
    "workers": "workers",
    "working_directory": "chdir",
}
"""Its keys that are one setting of ours, with the same values."""

HOOKS: Final = {
    "before_exec": ("pre_exec", 1),
    "before_fork": ("pre_fork", 2),
    "after_fork": ("post_fork", 2),
}
"""Its hooks: ours, and how many arguments they are called with."""

ADDRESS: Final = frozenset({"tcp", "listen_addr", "listen_port"})

ANY: Final = {"tcp4": "0.0.0.0", "tcp6": "::"}  # noqa: S104  as it was
"""Where it listened when nobody said."""


def loaded(file: "ConfigFile") -> Mapping[str, Any]:
    """
    What ``load()`` of the file returns; nothing if it has none of its own.

    Raises:
        ConfigError: it failed, or returned something else.
    """
    load = file.names.get("load")
    if "load" in file.imported or not callable(load) or positional_count(load)[0]:
        return {}
    where = f"{file.origin('load')}: load()"
    try:
        values = load()
    except Exception as error:
        raise ConfigError(f"{where} failed: {type(error).__name__}: {error}") from error
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} returned {values!r}, which is no dictionary")
    return values


def meant(values: Mapping[str, Any], where: str) -> Iterator[tuple[str, object, str]]:
    """
    The settings that such a dictionary means: name, value, origin.

    A key that is none of the original's is taken for a setting of ours.

    Args:
        values: the dictionary.
        where: it was returned.
    """
    if ADDRESS & {key for key, value in values.items() if value is not None}:
        keys = ", ".join(key for key in values if key in ADDRESS)
        yield "bind", address(values, where), f"{where}, {keys}"
    for key, value in values.items():
        origin = f"{where}, {key}"
        if value is None or key in ADDRESS:
            continue
        if key == "stderr_path":
            yield "errorlog", value, origin
            yield "capture_output", True, origin
        elif key in HOOKS:
            name, count = HOOKS[key]
            yield name, shortened(value, count), origin
        else:
            yield KEYS.get(key, key), value, origin


def address(values: Mapping[str, Any], where: str) -> str:
    """
    Where it listened.

    Raises:
        ConfigError: the kind of socket is none.
    """
    kind = values.get("tcp") or "tcp4"
    if kind not in ANY:
        raise ConfigError(f"{where}: tcp = {kind!r} is neither 'tcp4' nor 'tcp6'")
    host = str(values.get("listen_addr") or ANY[kind])
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    port = values.get("listen_port")
    return host if port is None else f"{host}:{port}"


def shortened(hook: Any, count: int) -> Any:
    """A hook that gets as many arguments as it takes: the original's took none."""
    if not callable(hook):
        return hook
    most = positional_count(hook)[1]
    if most >= count:
        return hook

    def called(server: object, worker: object = None) -> object:
        return hook(*(server, worker)[:most])

    return called
