"""
HTTP/2: its settings are read and checked; connections speak HTTP/1.1 until it is built.
"""

from typing import Final

from tiamat.config import kinds
from tiamat.config.kinds import to_count, to_words
from tiamat.config.setting import Kind, Section, Setting

LARGEST_WINDOW: Final = 2**31 - 1  # RFC 9113, 6.5.2
SMALLEST_FRAME, LARGEST_FRAME = 2**14, 2**24 - 1


def to_protocols(value: object) -> list[str]:
    """Which versions are offered, the dearest first."""
    names = [name.lower() for name in to_words(value)]
    if not names or not {*names} <= {"h1", "h2"}:
        raise ValueError("names no versions of HTTP; write h1, h2 or h2,h1")
    return list(dict.fromkeys(names))


def to_cleartext(value: object) -> str:
    """How HTTP/2 may begin without TLS; True and False are all and nothing."""
    words = {True: "both", False: "off"}
    word = words[value] if isinstance(value, bool) else value
    name = word.strip().lower() if isinstance(word, str) else ""
    if name not in ("off", "prior-knowledge", "upgrade", "both"):
        raise ValueError("is none of off, prior-knowledge, upgrade, both")
    return name


def between(least: int, most: int) -> Kind[int]:
    """A whole number within these bounds."""

    def convert(value: object) -> int:
        number = to_count(value, least)
        if number > most:
            raise ValueError(f"is more than {most}")
        return number

    return Kind(convert, "COUNT")


class HTTP2(Section):
    """HTTP/2"""

    http_protocols = Setting(
        "--http-protocols",
        type=Kind(to_protocols, "h1|h2|h2,h1"),
        default=["h1"],
        help="""
            The versions of HTTP that are offered, the dearest first.

            `h2` is accepted and not offered yet: connections speak HTTP/1.1. The same
            holds for the other settings of this chapter.
        """,
    )
    http2_cleartext = Setting(
        "--http2-cleartext",
        type=Kind(to_cleartext, "off|prior-knowledge|upgrade|both"),
        default="off",
        help="How HTTP/2 may begin on a connection without TLS.",
    )
    http2_max_concurrent_streams = Setting(
        "--http2-max-concurrent-streams",
        type=between(1, 2**32 - 1),
        default=100,
        help="The most requests that a connection may have open.",
    )
    http2_initial_window_size = Setting(
        "--http2-initial-window-size",
        type=between(1, LARGEST_WINDOW),
        default=65535,
        help="How many bytes of a request's body may come unasked.",
    )
    http2_max_frame_size = Setting(
        "--http2-max-frame-size",
        type=between(SMALLEST_FRAME, LARGEST_FRAME),
        default=16384,
        help="The most bytes of a frame: 16384 to 16777215.",
    )
    http2_max_header_list_size = Setting(
        "--http2-max-header-list-size",
        type=kinds.count,
        default=65536,
        help="The most bytes of a request's headers; 0 is no limit.",
    )


WANTED: Final = "HTTP/2 is not built yet: connections speak HTTP/1.1"


def wanted(values: dict[str, object]) -> list[str]:
    """The settings by which somebody asks for HTTP/2."""
    protocols = values["http_protocols"]
    asked = []
    if isinstance(protocols, list) and "h2" in protocols:
        asked.append("http_protocols")
    if values["http2_cleartext"] != "off":
        asked.append("http2_cleartext")
    return asked
