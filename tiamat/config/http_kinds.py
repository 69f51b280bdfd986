"""
Kinds of settings that only a server of HTTP has; the others are in ``kinds``.

A ``ValueError`` raised here ends a sentence, as it does there.
"""

import re
from typing import Final

from tiamat.config.kinds import article, to_mapping, to_text, to_words
from tiamat.config.setting import Kind

VISIBLE: Final = re.compile(r"[!-~]+")
STATUSES: Final = re.compile(r"[1-5]\d\d(-[1-5]\d\d)?")

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


def to_proxy_protocol(value: object) -> str:
    """Which versions of the PROXY protocol; gunicorn once had a switch for it."""
    if isinstance(value, bool):
        return "auto" if value else "off"
    text = to_text(value).lower()
    if text in ("true", "false"):
        return to_proxy_protocol(text == "true")
    if text not in ("off", "v1", "v2", "auto"):
        raise ValueError("is none of off, v1, v2, auto")
    return text


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
    from tiamat.observe.access_json import FORMAT

    text = to_text(value)
    if text == FORMAT:
        return text
    try:
        compile_format(text)
    except ValueError as error:
        raise ValueError(f"is no format of access lines: {error}") from None
    return text


def to_syslog_address(value: object) -> str:
    """Where a syslog daemon is."""
    from tiamat.observe import syslog

    text = to_text(value)
    syslog.split(text)
    return text


def to_statsd_address(value: object) -> str | None:
    """Where a statsd daemon is, or None."""
    from tiamat.observe import statsd

    text = to_text(value) if value is not None else ""
    if text:
        statsd.split(text)
    return text or None


def to_syslog_facility(value: object) -> str:
    """The name of a facility of syslog."""
    from tiamat.observe.syslog import FACILITIES

    name = to_text(value).lower()
    if name not in FACILITIES:
        raise ValueError(f"is none of {', '.join(FACILITIES)}")
    return name


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


http_parser = Kind(to_http_parser, "auto|httptools|h11|MODULE:CLASS")
proxy_protocol = Kind(to_proxy_protocol, "off|v1|v2|auto", bare="auto")
asgi_loop = Kind(to_asgi_loop, "auto|asyncio|uvloop|MODULE:FACTORY")
headers = Kind(to_headers, "DICT")
mount = Kind(to_mount, "PATH")
access_format = Kind(to_access_format, "FORMAT|json")
syslog_address = Kind(to_syslog_address, "ADDRESS")
statsd_address = Kind(to_statsd_address, "ADDRESS")
syslog_facility = Kind(to_syslog_facility, "NAME")
target = Kind(to_target, "PATH|URL")
statuses = Kind(to_statuses, "STATUS,STATUS-STATUS")
