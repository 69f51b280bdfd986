"""
What must be true of any bytes: one reading, whichever parser, however they are cut.

Used by the tests of the grammar and by ``fuzz/``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from protocol.wire import PARSERS, Seen, Verdict, read

from tiamat.protocol.headers import Names
from tiamat.protocol.http1 import Connection
from tiamat.protocol.limits import Limits

# Behind whatever is there: what was only waited for is now refused or whole.
_ENDED = b"\r\n\r\n"
_NO_SUCH_METHOD = 501


@dataclass(frozen=True)
class Reading:
    """
    A verdict, and where in the bytes each whole request ended.

    What is left behind the last of them is what would be read as another one.
    """

    verdict: Verdict
    ends: tuple[int, ...]


def connect(parser: str) -> Connection:
    """A connection with the default limits."""
    return Connection(Limits(), PARSERS[parser], Names("drop"))


def cut(wire: bytes, places: Iterable[int]) -> list[bytes]:
    """*wire* in pieces that end at *places*."""
    inside = sorted({place % len(wire) for place in places if wire} - {0})
    return [wire[a:b] for a, b in pairwise([0, *inside, len(wire)])]


def read_whole(parser: str, wire: bytes) -> Verdict:
    """All at once."""
    return read(connect(parser), [wire] if wire else [])


def read_bytes(parser: str, wire: bytes) -> Reading:
    """Byte by byte; a request ends with the byte that makes it complete."""
    connection = connect(parser)
    verdict = Verdict((), 0, True)
    taken = []
    ends: list[int] = []
    for at in range(len(wire)):
        connection.receive_data(wire[at : at + 1])
        taken += connection.requests
        connection.requests.clear()
        connection.resume()
        whole = sum(request.complete for request in taken)
        ends += [at + 1] * (whole - len(ends))
    connection.requests += taken
    verdict = read(connection, [b""])
    return Reading(verdict, tuple(ends))


def check_cuts(parser: str, wire: bytes, places: Iterable[int]) -> Reading:
    """Raise unless all ways to cut *wire* give one verdict; how it is read."""
    whole = read_whole(parser, wire)
    pieces = cut(wire, places)
    reading = read_bytes(parser, wire)

    assert whole == read(connect(parser), pieces), (parser, pieces)
    assert whole == reading.verdict, (parser, "byte by byte")
    return reading


def check(wire: bytes, places: Iterable[int] = ()) -> None:
    """
    Raise unless both parsers read *wire* as the same requests, and end them alike.

    The one difference that is allowed: httptools refuses methods that llhttp doesn't
    list with 501, and reads no further. Of a head with several faults the parsers may
    name different ones, so only that it is refused must be the same; and one may need
    a few bytes more than the other to see a fault.
    """
    places = list(places)
    fast = check_cuts("httptools", wire, places)
    slow = check_cuts("h11", wire, places)
    if fast.verdict.status == _NO_SUCH_METHOD != slow.verdict.status:
        slow = only(slow, len(fast.verdict.requests))
    elif bool(fast.verdict.status) != bool(slow.verdict.status):
        late = "h11" if fast.verdict.status else "httptools"
        ended = read_whole(late, wire + _ENDED)
        assert ended.status, f"only {late} accepts this"

    assert fast.ends == slow.ends
    assert heads_and_bodies(fast) == heads_and_bodies(slow)


def heads_and_bodies(reading: Reading) -> list[Seen]:
    """The requests; of a body that isn't whole it doesn't matter how much came."""
    requests = reading.verdict.requests
    return [seen if seen.complete else replace(seen, body="") for seen in requests]


def only(reading: Reading, count: int) -> Reading:
    """The same of the first *count* requests."""
    requests = reading.verdict.requests[:count]
    whole = sum(request.complete for request in requests)
    return Reading(replace(reading.verdict, requests=requests), reading.ends[:whole])
