"""gunicorn's functions that check values, by name: for settings that plugins add."""

import os
from collections.abc import Callable
from typing import Any

from tiamat.config import code, kinds
from tiamat.config.config import Config
from tiamat.config.setting import Kind
from tiamat.observe import statsd


def checked(kind: Kind[Any], value: Any, name: str = "") -> Any:
    """
    A value of this kind.

    Raises:
        ValueError: it is none; the text says which value, and why.
    """
    try:
        return kind.convert(value)
    except ValueError as error:
        setting = f"{name} = " if name else ""
        raise ValueError(f"{setting}{value!r} {error}") from None


def validate_bool(val: Any) -> Any:
    """True or False, also as text; None stays."""
    return checked(kinds.optional(kinds.switch), val)


def validate_dict(val: dict[str, Any]) -> dict[str, Any]:
    """A dictionary."""
    if not isinstance(val, dict):
        raise TypeError(f"{val!r} is no dictionary")
    return val


def validate_pos_int(val: Any) -> int:
    """A whole number, not negative; texts may be hexadecimal or octal: ``0o17``."""
    number = int(val, 0) if isinstance(val, str) else int(val)
    if number < 0:
        raise ValueError(f"{val!r} is negative")
    return number


def validate_string(val: Any) -> str | None:
    """A text without space around it; None stays."""
    if val is None:
        return None
    if not isinstance(val, str):
        raise TypeError(f"{val!r} is no text")
    return val.strip()


def validate_list_string(val: Any) -> list[str]:
    """A list of texts; one alone will do."""
    if not val:
        return []
    many = [val] if isinstance(val, str) else val
    return [str(validate_string(one)) for one in many]


def validate_list_of_files_or_patterns(val: Any) -> list[str]:
    """A list of files, or of patterns of their names."""
    return validate_list_string(val)


def validate_file_exists(val: str | None) -> str | None:
    """The name of a file that is there; None stays."""
    if val is not None and not os.path.exists(val):
        raise ValueError(f"there is no file {val!r}")
    return val


def validate_string_to_list(val: Any) -> list[str]:
    """A list of words, as text with commas between."""
    return [word.strip() for word in val.split(",")] if val else []


def validate_string_to_addr_list(val: Any) -> list[str]:
    """A list of addresses and networks, as text with commas between."""
    found: list[str] = checked(kinds.networks, val) if val else []
    return found


def validate_class(val: Any) -> Any:
    """A class, or the name of one; None stays."""
    return checked(kinds.optional(code.a_class), val)


def validate_callable(arity: int) -> Callable[[Any], Any]:
    """What checks functions that take so many arguments; any number for -1."""

    def validate(val: Any) -> Any:
        found = code.imported(val) if isinstance(val, str) else val
        if not callable(found):
            raise TypeError(f"{found!r} is no function")
        if arity != -1:
            fewest, most = code.positional_count(found)
            if not fewest <= arity <= most:
                raise TypeError(f"{found!r} does not take {arity} arguments")
        return found

    return validate


def validate_post_request(val: Any) -> Any:
    """A function for the hook of that name, which may take fewer arguments."""
    return of("post_request", val)


def validate_user(val: Any) -> int:
    """The number of a user; this process's own for None."""
    return os.geteuid() if val is None else int(of("user", val))


def validate_group(val: Any) -> int:
    """The number of a group; this process's own for None."""
    return os.getegid() if val is None else int(of("group", val))


def validate_chdir(val: str) -> str:
    """A directory that is there, from the root."""
    path = os.path.abspath(str(validate_string(val)))
    if not os.path.isdir(path):
        raise ValueError(f"{val!r} is no directory")
    return path


def validate_statsd_address(val: str | None) -> Any:
    """Host and port, or the path of a Unix socket; None stays."""
    return None if val is None else statsd.split(str(of("statsd_host", val)))


def of(name: str, value: Any) -> Any:
    """A value for one of our settings."""
    return checked(Config.settings[name].kind, value, name)


def validate_ssl_version(val: Any) -> Any:
    """Anything: it has no effect."""
    return val


def validate_reload_engine(val: str) -> Any:
    """A word for the setting of that name, as of the others below."""
    return of("reload_engine", val)


def validate_header_map_behaviour(val: str | None) -> Any:
    """A word for ``header_map``; None stays."""
    return None if val is None else of("header_map", val)


def validate_proxy_protocol(val: Any) -> Any:
    """A word for ``proxy_protocol``."""
    return of("proxy_protocol", "off" if val is None else val)


def validate_asgi_loop(val: str | None) -> Any:
    """A word for ``asgi_loop``."""
    return of("asgi_loop", val or "auto")


def validate_asgi_lifespan(val: str | None) -> Any:
    """A word for ``asgi_lifespan``."""
    return of("asgi_lifespan", val or "auto")


def validate_http_parser(val: str | None) -> Any:
    """A word for ``http_parser``."""
    return of("http_parser", val or "auto")


def validate_http_protocols(val: str | None) -> Any:
    """The versions of HTTP."""
    return of("http_protocols", val or "h1")


def validate_http2_cleartext(val: str | bool | None) -> Any:
    """A word for ``http2_cleartext``."""
    return of("http2_cleartext", val or "off")


def validate_http2_frame_size(val: Any) -> Any:
    """A size for ``http2_max_frame_size``."""
    return of("http2_max_frame_size", val)
