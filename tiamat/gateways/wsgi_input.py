"""``wsgi.input`` over the body of a request (PEP 3333)."""

from io import BytesIO
from typing import BinaryIO

from tiamat.protocol.request import Body


def complete_input(body: Body) -> BinaryIO:
    """
    A body that is here to its end, as a file at its first byte.

    From memory a ``BytesIO`` (which shares a single chunk with us), else the
    file that the driver put it into: both read, ``readline(n)``, iterate and
    end as an application expects of a file.
    """
    if body.file is not None:
        return body.file
    return BytesIO(body.take())
