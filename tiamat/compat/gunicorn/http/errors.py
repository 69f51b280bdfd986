"""gunicorn's words for what a client can break, and which of them ours are."""

from typing import Any, ClassVar

from tiamat.protocol import errors as ours


class ParseException(Exception):
    """
    The client broke the protocol.

    Attributes:
        code: the status that it hears.
        template: the text, of the attribute that the argument becomes.
    """

    code: int = 400
    about: ClassVar[str] = ""
    template: ClassVar[str] = "%s"

    def __init__(self, *said: Any) -> None:
        super().__init__(*said)
        if self.about:
            setattr(self, self.about, said[0])

    def __str__(self) -> str:
        if not self.about:
            return super().__str__()
        return self.template % (getattr(self, self.about),)


class NoMoreData(OSError):
    """The client went in the midst of a request."""

    def __init__(self, buf: Any = None) -> None:
        super().__init__()
        self.buf = buf

    def __str__(self) -> str:
        return f"the client sent no more after {self.buf!r}"


class ConfigurationProblem(ParseException):
    """The settings don't fit the request."""

    code, about, template = 500, "info", "the configuration is wrong: %s"


class InvalidRequestLine(ParseException):
    """The first line can't be read."""

    about, template = "req", "the request line can't be read: %r"


class InvalidRequestMethod(ParseException):
    """The method is none."""

    about, template = "method", "%r is no method"


class ExpectationFailed(ParseException):
    """The client expects what we can't."""

    code, about, template = 417, "expect", "%r can't be met"


class InvalidHTTPVersion(ParseException):
    """Another version of HTTP."""

    code, about, template = 505, "version", "no such version of HTTP is spoken: %r"


class InvalidHeader(ParseException):
    """A header breaks a rule."""

    about, template = "hdr", "a header is wrong: %s"

    def __init__(self, hdr: str, req: Any = None) -> None:
        super().__init__(hdr)
        self.req = req


class ObsoleteFolding(ParseException):
    """A header goes on in the next line."""

    about, template = "hdr", "%r goes on in the next line"


class InvalidHeaderName(ParseException):
    """A header's name is no token."""

    about, template = "hdr", "%r is no name of a header"


class InvalidResponseHeader(InvalidHeader):
    """The application's header can't be sent."""

    template = "the application's header %s can't be sent"


class InvalidResponseHeaderName(InvalidHeaderName):
    """The same, for its name."""

    template = "the application's header %s can't be sent"


class UnsupportedTransferCoding(ParseException):
    """The body's coding is not known."""

    code, about, template = 501, "hdr", "the transfer coding is not known: %r"


class InvalidChunkSize(ParseException):
    """A chunk's size can't be read."""

    about, template = "data", "%r is no size of a chunk"


class ChunkMissingTerminator(ParseException):
    """A chunk has another end than its size says."""

    about, template = "term", "a chunk ends with %r"


class InvalidChunkExtension(ParseException):
    """What stands behind a chunk's size breaks a rule."""

    about, template = "reason", "an extension of a chunk is wrong: %s"


class LimitRequestLine(ParseException):
    """The first line is too long."""

    code, about = 414, "size"

    def __init__(self, size: Any, max_size: int | None = None) -> None:
        super().__init__(size)
        self.max_size = max_size


class LimitRequestHeaders(ParseException):
    """There are too many headers, or they are too large."""

    code, about = 431, "msg"


class InvalidProxyLine(ParseException):
    """A PROXY line can't be read."""

    about, template = "line", "%r is no PROXY line"


class InvalidProxyHeader(ParseException):
    """A PROXY header of version 2 can't be read."""

    about, template = "msg", "the PROXY header can't be read: %s"


class ForbiddenProxyRequest(ParseException):
    """Who speaks for others may not."""

    code, about, template = 403, "host", "%s may not speak for others"


class InvalidSchemeHeaders(ParseException):
    """Headers of a proxy contradict each other."""

    def __str__(self) -> str:
        return "the headers that say the scheme contradict each other"


class InvalidH2CPreface(ParseException):
    """No connection of HTTP/2 begins so."""

    about, template = "data", "%r begins no connection of HTTP/2"


KINDS: dict[type[ours.ProtocolError], Any] = {
    ours.TargetTooLong: LimitRequestLine,
    ours.HeadTooLarge: LimitRequestHeaders,
    ours.ExpectationFailed: ExpectationFailed,
    ours.NotImplementedMethod: InvalidRequestMethod,
    ours.UnknownTransferCoding: UnsupportedTransferCoding,
    ours.UnsupportedVersion: InvalidHTTPVersion,
}


def translated(error: ours.ProtocolError) -> Exception:
    """gunicorn's exception for one of ours, with our text, and the same status."""
    made: Exception = KINDS.get(type(error), InvalidHeader)(str(error))
    made.code = error.status  # type: ignore[attr-defined]
    return made
