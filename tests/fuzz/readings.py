"""
A target of atheris: any bytes have one reading, or an error of ours.

Run by ``scripts/fuzz``. Its seeds are the wire corpus; what it finds goes there.

    readings.py --seeds DIRECTORY     write them
    readings.py [OPTION | DIRECTORY]  fuzz; the options are libFuzzer's
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent.parent))

with atheris.instrument_imports(include=["tiamat.protocol"]):
    from protocol.differential import check
    from protocol.wire import corpus

# A head of the default limits is longer; what breaks a parser isn't.
LONGEST = 2000


def one_input(data: bytes) -> None:
    """The first byte says where to cut the others besides whole and byte by byte."""
    if 1 < len(data) <= LONGEST:
        step = data[0] + 1
        check(data[1:], range(step, len(data), step))


def write_seeds(directory: Path) -> None:
    """A file for each case of the corpus that isn't too long."""
    directory.mkdir(parents=True, exist_ok=True)
    for case in corpus():
        (directory / case.name).write_bytes(b"\x06" + case.wire[: LONGEST - 1])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--seeds"]:
        write_seeds(Path(sys.argv[2]))
    else:
        atheris.Setup(sys.argv, one_input)
        atheris.Fuzz()
