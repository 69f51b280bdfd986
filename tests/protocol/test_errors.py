"""Each way to break the protocol has one status."""

import pytest

from tiamat.protocol import errors
from tiamat.protocol.status import REASONS


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.ProtocolError, 400),
        (errors.TargetTooLong, 414),
        (errors.HeadTooLarge, 431),
        (errors.BodyTooLarge, 413),
        (errors.ExpectationFailed, 417),
        (errors.NotImplementedMethod, 501),
        (errors.UnknownTransferCoding, 501),
        (errors.UnsupportedVersion, 505),
    ],
)
def test_an_error_knows_its_status(
    error: type[errors.ProtocolError], status: int
) -> None:
    """The status is one that has a name, and every error is a ProtocolError."""
    assert issubclass(error, errors.ProtocolError)
    assert status == error.status
    assert status in REASONS


def test_an_application_s_mistake_is_not_the_client_s() -> None:
    """What a client is answered with 4xx for never includes a bad response."""
    assert not issubclass(errors.InvalidResponse, errors.ProtocolError)
