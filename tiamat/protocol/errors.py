"""
How a client can break the protocol, and what it should hear.

    ProtocolError               400
    ├── TargetTooLong           414
    ├── HeadTooLarge            431
    ├── BodyTooLarge            413
    ├── ExpectationFailed       417
    ├── NotImplementedMethod    501
    ├── UnknownTransferCoding   501
    └── UnsupportedVersion      505

How an application can break it:

    InvalidResponse             answered with 500
"""

from typing import ClassVar


class ProtocolError(Exception):
    """
    The client broke the protocol; ``status`` is what it should hear.

    RFC 9110, 15.5. A subclass sets ``status`` and nothing else, so that one
    place in each driver answers all of them. The text is for the log.
    """

    status: ClassVar[int] = 400


class TargetTooLong(ProtocolError):
    status = 414


class HeadTooLarge(ProtocolError):
    status = 431


class BodyTooLarge(ProtocolError):
    status = 413


class ExpectationFailed(ProtocolError):
    status = 417


class NotImplementedMethod(ProtocolError):
    status = 501


class UnknownTransferCoding(ProtocolError):
    status = 501


class UnsupportedVersion(ProtocolError):
    status = 505


class InvalidResponse(Exception):
    """The application's status or headers can't be sent; the text names them."""
