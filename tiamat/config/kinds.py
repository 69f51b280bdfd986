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
from tiamat.system.addresses import parse_address

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


def one_of(*words: str) -> Kind[str]:
    """One of a few words; True and False are "on" and "off" where those are."""

    def convert(value: object) -> str:
        if isinstance(value, bool) and {"on", "off"} <= {*words}:
            value = "on" if value else "off"
        word = value.strip().lower() if isinstance(value, str) else value
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


# --- HTTP -------------------------------------------------------------------

PARSERS: Final = {
    "auto": "auto",
    "httptools": "httptools",
    "h11": "h11",
    "fast": "httptools",  # gunicorn's names
    "python": "h11",
}


def to_http_parser(value: object) -> str:
    """One of our parsers, or the name of a class."""
    name = to_text(value)
    if ":" in name:
        return name
    if name.lower() not in PARSERS:
        raise ValueError('is none of auto, httptools, h11, nor "module:Parser"')
    return PARSERS[name.lower()]


def to_asgi_loop(value: object) -> str:
    """One of the event loops that we know, or the name of a factory."""
    name = to_text(value)
    if ":" in name:
        return name
    if name.lower() not in ("auto", "asyncio", "uvloop"):
        raise ValueError('is none of auto, asyncio, uvloop, nor "module:factory"')
    return name.lower()


def to_headers(value: object) -> dict[str, str]:
    """Header names with a value each."""
    headers = to_mapping(value)
    for name, text in headers.items():
        if not isinstance(text, str):
            raise ValueError(f"has no text for {name!r} but {article(text)}")
    return headers


def to_mount(value: object) -> str:
    """The path that an application is mounted at: "", or one that begins with /."""
    path = to_text(value).rstrip("/")
    if path and not path.startswith("/"):
        raise ValueError(f"is no path; write /{path}")
    return path


def to_access_format(value: object) -> str:
    """A format that every line of the access log can be made of."""
    from tiamat.observe.access import compile_format

    text = to_text(value)
    try:
        compile_format(text)
    except ValueError as error:
        raise ValueError(f"is no format of access lines: {error}") from None
    return text


http_parser = Kind(to_http_parser, "auto|httptools|h11|MODULE:CLASS")
asgi_loop = Kind(to_asgi_loop, "auto|asyncio|uvloop|MODULE:FACTORY")
headers = Kind(to_headers, "DICT")
mount = Kind(to_mount, "PATH")
access_format = Kind(to_access_format, "FORMAT")


def to_target(value: object) -> str:
    """What a request may be put to: a path, or a URL with a host."""
    from urllib.parse import urlsplit

    text = to_text(value)
    parts = urlsplit(text)
    absolute = parts.scheme in ("http", "https") and parts.hostname
    if not (absolute or text.startswith("/")) or not VISIBLE.fullmatch(text):
        raise ValueError(
            "is neither a path nor a URL; write /healthz, or https://example.org/healthz"
        )
    return text


def to_statuses(value: object) -> str:
    """Statuses of responses, and ranges of them: 200-299,401."""
    words_ = to_words(str(value) if isinstance(value, int) else value)
    if not words_ or not all(STATUSES.fullmatch(word) for word in words_):
        raise ValueError("names no statuses; write 204, or 200-299,401")
    return ",".join(words_)


VISIBLE: Final = re.compile(r"[!-~]+")
STATUSES: Final = re.compile(r"[1-5]\d\d(-[1-5]\d\d)?")

target = Kind(to_target, "PATH|URL")
statuses = Kind(to_statuses, "STATUS,STATUS-STATUS")


# --- The machine ------------------------------------------------------------


def to_addresses(value: object) -> list[str]:
    """Addresses to listen on, each of which can be read."""
    addresses = to_texts(value)
    if not addresses:
        raise ValueError("names no address; write for example 127.0.0.1:8000")
    for address in addresses:
        try:
            parse_address(address)
        except ValueError as error:
            raise ValueError(f"is no address to listen on: {error}") from None
    return addresses


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
networks = Kind(to_networks, "ADDRESS,NETWORK")
user = Kind(to_uid, "USER")
group = Kind(to_gid, "GROUP")
control = Kind(to_control, "PATH|true")
variables = Kind(to_variables, "NAME=VALUE", takes="values")
