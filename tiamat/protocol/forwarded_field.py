"""
Who asked, as proxies write it: nodes, and the Forwarded field of RFC 7239.

What is malformed is nothing: the caller stops there, and believes what stands to the
right of it, which nearer proxies have added.
"""

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, TypeAlias

Node: TypeAlias = tuple[str, int]
"""An address, and a port; 0 if none is said."""

_NODE: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>[0-9.]+))(?::(?P<port>[0-9]{1,5}|_[\w.-]+))?",
    re.ASCII,
)

# Quotes are demanded around colons and brackets (RFC 7239, 4), which many forget.
_PAIR: Final = re.compile(
    r'[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:([!#$%&\'*+.^_`|~0-9A-Za-z:\[\]/-]+)|"'
    r'((?:[\t !#-\[\]-~\x80-\xff]|\\[\t !-~\x80-\xff])*)")[ \t]*'
)
_ESCAPED: Final = re.compile(r"\\(.)")


@lru_cache(1024)
def parse_node(text: str, bare: bool = True) -> Node | None:
    """
    The address in a node (RFC 7239, 6); None if it has none.

    None is also what proxies say that hide it: ``unknown``, and ``_names`` of their
    own.

    Args:
        bare: An IPv6 address may stand without brackets, as in X-Forwarded-For.
    """
    match = _NODE.fullmatch(text)
    try:
        if match is None:
            if not bare or "%" in text:  # Python would take an address with a zone
                return None
            address, port = ip_address(text), "0"
        else:
            address, port = ip_address(match["v6"] or match["v4"]), match["port"] or "0"
            if (address.version == 6) is not bool(match["v6"]):
                return None
    except ValueError:
        return None
    number = int(port) if port.isdecimal() else 0
    host = str(getattr(address, "ipv4_mapped", None) or address)
    return (host, number) if number <= 65535 else None


def parse_forwarded(value: str) -> list[dict[str, str]] | None:
    """
    The elements of one Forwarded field line (RFC 7239, 4); None if it is malformed.

    Each has its parameters by name, in lower case. Spaces around ``;`` are taken.
    """
    elements: list[dict[str, str]] = []
    element: dict[str, str] = {}
    at = 0
    while True:
        match = _PAIR.match(value, at)
        if match is not None:
            name = match[1].lower()
            if name in element:
                return None
            element[name] = match[2] or _ESCAPED.sub(r"\1", match[3])
            at = match.end()
        mark = value[at : at + 1]
        at += 1
        if mark == ";" or (mark in (" ", "\t") and match is None):
            continue
        if mark not in ("", ","):
            return None
        if element:
            elements.append(element)
            element = {}
        if not mark:
            return elements
