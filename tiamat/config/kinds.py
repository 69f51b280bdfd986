"""
Kinds of settings: from what a person wrote to the value, or to a good error.

Every ``ValueError`` raised here ends a sentence that ``Config`` begins with the
place, the name and the value: "tiamat.conf.py, line 3: timeout = 'soon' *is not a
number of seconds; write 30, or 0.5*".
"""

import grp
import ipaddress
import os
import pwd
import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from tiamat.config.setting import Kind
from tiamat.system.addresses import Descriptor, parse_address

T = TypeVar("T")


# --- Numbers ----------------------------------------------------------------


def to_seconds(value: object) -> float:
    """A length of time: a number, or its text, in seconds."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(value)
        if not 0 <= number < float("inf"):  # NaN compares false
            raise ValueError
    except ValueError:
        raise ValueError("is not a number of seconds; write 30, or 0.5") from None
    return number


def to_count(value: object, least: int = 0) -> int:
    """A whole number of at least *least*; texts may be 0x10 or 0o20 too."""
    try:
        if isinstance(value, bool):
            raise ValueError
        if isinstance(value, str):
            text = value.strip().replace("_", "")
            value = int(text, 10) if text.isdecimal() else int(text, 0)
        if not isinstance(value, int) or value < least:
            raise ValueError
    except ValueError:
        raise ValueError(f"is not a whole number of {least} or more") from None
    return value


def to_workers(value: object) -> int:
    """How many workers: a number, or "auto" for one per usable processor."""
    if isinstance(value, str) and value.strip().lower() == "auto":
        from tiamat.system.process import available_cpus

        return available_cpus()
    try:
        return to_count(value, 1)
    except ValueError as error:
        raise ValueError(f'{error}, nor "auto" (one per usable processor)') from None


UNITS: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)


def to_size(value: object) -> int:
    """A number of bytes, or a text with a unit of 1024: 64K, 1M, 1.5G."""
    if isinstance(value, str) and (match := SIZE.fullmatch(value.strip())):
        return int(float(match[1]) * UNITS[match[2].upper()])
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("is not a size in bytes; write 65536, or 64K, 1M, 1G")


def to_mode(value: object) -> int:
    """Permission bits: an octal text, or the number itself."""
    try:
        if isinstance(value, str):
            value = int(value.strip().lower().removeprefix("0o"), 8)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError
        if not 0 <= value <= 0o7777:
            raise ValueError
    except ValueError:
        raise ValueError(
            "is not a set of permission bits; write it in octal: 0o022"
        ) from None
    return value


def to_positive(value: object) -> int:
    """A whole number of at least 1."""
    return to_count(value, 1)


seconds = Kind(to_seconds, "SECONDS")
count = Kind(to_count, "COUNT")
positive = Kind(to_positive, "COUNT")
size = Kind(to_size, "SIZE")
mode = Kind(to_mode, "OCTAL")
workers = Kind(to_workers, 'COUNT|"auto"')


# --- Texts and choices ------------------------------------------------------

TRUE: Final = frozenset({"true", "yes", "y", "on", "1"})
FALSE: Final = frozenset({"false", "no", "n", "off", "0", ""})


def to_bool(value: object) -> bool:
    """Yes or no."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return value == 1
    if isinstance(value, str):
        word = value.strip().lower()
        if word in TRUE or word in FALSE:
            return word in TRUE
    raise ValueError("is neither True nor False")


def to_text(value: object) -> str:
    """A text, without blanks around it."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise ValueError(f"is not a text but {article(value)}; put it in quotes")
    return value.strip()


def optional(kind: Kind[T]) -> Kind[T | None]:
    """The same kind, or None (in a flag: nothing between the quotes)."""

    def convert(value: object) -> T | None:
        return None if value is None or value == "" else kind.convert(value)

    return Kind(convert, kind.metavar, kind.takes, kind.code)


def one_of(*words: str, also: Mapping[str, str] | None = None) -> Kind[str]:
    """
    One of a few words; True and False are "on" and "off" where those are.

    Args:
        words: them.
        also: other words, and which of the few each means.
    """
    others = also or {}

    def convert(value: object) -> str:
        if isinstance(value, bool) and {"on", "off"} <= {*words}:
            value = "on" if value else "off"
        word = value.strip().lower() if isinstance(value, str) else value
        word = others.get(word, word) if isinstance(word, str) else word
        if word not in words:
            raise ValueError(f"is none of {', '.join(words)}")
        return str(word)

    return Kind(convert, "|".join(words))


def to_texts(value: object) -> list[str]:
    """A list of texts; a single text is a list of one."""
    if isinstance(value, str | os.PathLike):
        return [to_text(value)]
    if not isinstance(value, list | tuple):
        raise ValueError(f"is not a list of texts but {article(value)}")
    return [to_text(item) for item in value]


def to_words(value: object) -> list[str]:
    """A list of texts, or one text with commas between them."""
    if isinstance(value, str):
        return [word for part in value.split(",") if (word := part.strip())]
    return to_texts(value)


def to_mapping(value: object) -> dict[str, Any]:
    """A dictionary with texts for keys."""
    if not isinstance(value, Mapping):
        raise ValueError(f"is not a dictionary but {article(value)}")
    if not all(isinstance(key, str) for key in value):
        raise ValueError("is not a dictionary of texts: a key is no text")
    return dict(value)


def article(value: object) -> str:
    """What *value* is, in words: "an int", "a list"."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


text = Kind(to_text, "TEXT")
path = Kind(to_text, "PATH")
switch = Kind(to_bool, "", takes="nothing")
paths = Kind(to_texts, "PATH", takes="values")
words = Kind(to_words, "NAME,NAME")
mapping = Kind(to_mapping, "DICT")


# --- The machine ------------------------------------------------------------


def to_addresses(value: object) -> list[str]:
    """Addresses to listen on, each of which can be read; perhaps by name."""
    if isinstance(value, Mapping):
        value = [f"{name}={address}" for name, address in value.items()]
    addresses = to_texts(value)
    if not addresses:
        raise ValueError("names no address; write for example 127.0.0.1:8000")
    for address in addresses:
        try:
            parse_address(address)
        except ValueError as error:
            raise ValueError(f"is no address to listen on: {error}") from None
    return addresses


def to_address(value: object) -> str:
    """One address to listen on, not one that is open already."""
    address = to_text(value)
    try:
        parsed = parse_address(address)
    except ValueError as error:
        raise ValueError(f"is no address to listen on: {error}") from None
    if isinstance(parsed, Descriptor):
        raise ValueError("can't be a descriptor; write HOST:PORT or unix:PATH")
    return address


def to_networks(value: object) -> list[str]:
    """Addresses and networks whose word is taken; "*" is everybody's."""
    networks = to_words(value)
    for network in networks:
        if network == "*":
            continue
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ValueError(
                f"does not list addresses, networks or *: {error}"
            ) from None
    return networks


def to_uid(value: object) -> int:
    """A user, by name or number."""
    if isinstance(value, str) and not value.strip().isdecimal():
        try:
            return pwd.getpwnam(value.strip()).pw_uid
        except KeyError:
            raise ValueError("is no user of this machine (see /etc/passwd)") from None
    return to_count(value)


def to_gid(value: object) -> int:
    """A group, by name or number."""
    if isinstance(value, str) and not value.strip().isdecimal():
        try:
            return grp.getgrnam(value.strip()).gr_gid
        except KeyError:
            raise ValueError("is no group of this machine (see /etc/group)") from None
    return to_count(value)


def to_variables(value: object) -> list[str]:
    """Variables for the environment, NAME=VALUE each."""
    variables = to_texts(value)
    for variable in variables:
        name, equals, _ = variable.partition("=")
        if not (name and equals):
            raise ValueError(f"has no variable in {variable!r}; write NAME=VALUE")
    return variables


def to_control(value: object) -> str | bool:
    """The path of a control socket; True is the usual place, False is no socket."""
    if value is None or isinstance(value, bool):
        return bool(value)
    path = to_text(value)
    return path.lower() == "true" if path.lower() in ("true", "false", "") else path


addresses = Kind(to_addresses, "ADDRESS", takes="values")
address = Kind(to_address, "ADDRESS")
networks = Kind(to_networks, "ADDRESS,NETWORK")
user = Kind(to_uid, "USER")
group = Kind(to_gid, "GROUP")
control = Kind(to_control, "PATH|true")
variables = Kind(to_variables, "NAME=VALUE", takes="values")
