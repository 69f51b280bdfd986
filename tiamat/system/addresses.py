"""
Addresses in text.

An address is written as ``HOST:PORT``, ``HOST``, ``:PORT``, ``[v6]:PORT``,
``unix:PATH``, ``unix:@NAME`` (Linux's abstract names, which leave no file behind)
or ``fd://N`` (a descriptor that somebody else has bound); for datagrams as
``udp://HOST:PORT``. Before any of them may stand ``tls://`` or ``plain://``, which
says whether there is TLS on it, and a name for it: ``smtp=0.0.0.0:25``,
``smtps=tls://0.0.0.0:465``.
"""

import os
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

DEFAULT_PORT: Final = 8000

# The longest path that fits sockaddr_un, with its final NUL: 108 bytes on Linux,
# 104 on BSD and macOS (unix(7)).
UNIX_PATH_LIMIT: Final = 107 if os.uname().sysname == "Linux" else 103


@dataclass(frozen=True, slots=True)
class Tcp:
    """A host name or address, and a port; the empty host is every IPv4 address."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Udp:
    """The same for datagrams; the port has to be said."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Unix:
    """A Unix socket's path, or its abstract name beginning with NUL."""

    path: str


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor that was open when we were started."""

    number: int


Place: TypeAlias = Tcp | Udp | Unix | Descriptor

_TLS: Final = {"tls": True, "plain": False}
"""Whether there is TLS on an address, by what stands before it."""

_NAMED: Final = re.compile(r"([A-Za-z][\w-]*)=(.+)", re.DOTALL)


def split_name(text: str) -> tuple[str, str]:
    """What an address is called, or nothing, and the address."""
    named = _NAMED.fullmatch(text.strip())
    return (named[1], named[2].strip()) if named else ("", text.strip())


def split_tls(text: str) -> tuple[bool | None, str]:
    """Whether an address is to have TLS, None where nothing is said; and the rest."""
    scheme, mark, rest = split_name(text)[1].partition("://")
    tls = _TLS.get(scheme.lower()) if mark else None
    return tls, split_name(text)[1] if tls is None else rest


def is_given(text: str) -> bool:
    """Whether it is a descriptor, which somebody else has bound."""
    return split_tls(text)[1].startswith("fd://")


def parse_address(text: str) -> Place:
    """
    Read an address.

    Raises:
        ValueError: with what is wrong and what to write, as half a sentence.
    """
    tls, text = split_tls(text)
    if tls and text.startswith("udp://"):
        raise ValueError("there is no TLS for datagrams")
    if text.startswith("unix:"):
        return parse_unix(text.removeprefix("unix:"))
    if text.startswith("fd://"):
        number = text.removeprefix("fd://")
        if not number.isdecimal():
            raise ValueError(f"{number!r} is no descriptor; write for example fd://3")
        return Descriptor(int(number))
    if text.startswith("udp://"):
        place = text.removeprefix("udp://")
        tcp = parse_tcp(place)
        if not place.removesuffix("]").rpartition(":")[2].isdecimal():
            raise ValueError("the port is missing; write for example udp://0.0.0.0:53")
        return Udp(tcp.host, tcp.port)
    return parse_tcp(text.removeprefix("tcp://"))


def parse_unix(path: str) -> Unix:
    """The part behind ``unix:``; gunicorn's ``unix://`` is the same."""
    path = path.removeprefix("//")
    if not path or path == "@":
        raise ValueError("the path is missing; write for example unix:/run/app.sock")
    size = len(os.fsencode(path))
    if size > UNIX_PATH_LIMIT:
        raise ValueError(
            f"the path has {size} bytes, and the system takes {UNIX_PATH_LIMIT}"
        )
    return Unix("\0" + path[1:] if path.startswith("@") else path)


def parse_tcp(text: str) -> Tcp:
    """``HOST``, ``HOST:PORT``, ``:PORT`` or ``[v6]:PORT``."""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise ValueError("brackets don't match; write for example [::1]:8000")
        port = port[1:]
    elif text.count(":") > 1:
        raise ValueError(f"an IPv6 address stands in brackets: [{text}]:{DEFAULT_PORT}")
    elif text.isdecimal():
        raise ValueError(f"a port alone is no address; write 127.0.0.1:{text}")
    else:
        host, _, port = text.partition(":")
    if not port:
        if text.endswith(":") or not host:
            raise ValueError("the port is missing; write for example 127.0.0.1:8000")
        port = str(DEFAULT_PORT)
    if not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{port!r} is no port; ports are 0 to 65535")
    if "/" in host:
        raise ValueError(f"{host!r} is no host; a path is written unix:{host}")
    return Tcp(host.lower(), int(port))
