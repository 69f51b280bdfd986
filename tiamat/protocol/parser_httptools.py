"""
httptools (llhttp) as the parser: its class *is* our parser interface.

What its errors mean is said here, so that ``http1`` needs to know no parser.
"""

from typing import Final

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserInvalidMethodError,
    HttpParserUpgrade,
)
from httptools import HttpRequestParser as Parser

from tiamat.protocol.errors import ProtocolError, UnsupportedVersion

__all__ = ["INVALID_METHOD", "UPGRADE", "Parser", "translate"]

# llhttp stops at the first byte that can't become a method of its list; only
# the bytes tell whether it could have become a method at all.
INVALID_METHOD: Final = HttpParserInvalidMethodError

# Behind a head that asks for an upgrade llhttp takes no body.
UPGRADE: Final = HttpParserUpgrade

# The last two are what it says of HTTP/2's preface.
_VERSIONS: Final = (
    "Invalid HTTP version",
    "Pause on PRI/Upgrade",
    "Expected HTTP/2 Connection Preface",
)


def translate(error: Exception) -> Exception:
    """
    What the client did wrong, or *error* itself if it wasn't the client.

    An exception raised in a callback leaves httptools as
    ``HttpParserCallbackError``, with ours as its context.
    """
    if isinstance(error, HttpParserCallbackError):
        return error.__context__ if isinstance(error.__context__, Exception) else error
    if not isinstance(error, HttpParserError):
        return error
    text = str(error)
    return UnsupportedVersion(text) if text in _VERSIONS else ProtocolError(text)
