"""Kinds of settings: from what a person wrote to the value, or to a good error."""

import grp
import os
import pwd
from pathlib import Path

import pytest
from config.complaints import complaint

from tiamat.config import kinds
from tiamat.config.setting import Kind


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (kinds.seconds, "30", 30.0),
        (kinds.seconds, 0.5, 0.5),
        (kinds.seconds, "1e1", 10.0),
        (kinds.count, " 12 ", 12),
        (kinds.count, "0x10", 16),
        (kinds.count, "010", 10),
        (kinds.count, 0, 0),
        (kinds.positive, "1", 1),
        (kinds.workers, "4", 4),
        (kinds.one_of("auto", "on", "off"), True, "on"),
        (kinds.one_of("auto", "on", "off"), False, "off"),
        (kinds.size, "65536", 65536),
        (kinds.size, "64K", 65536),
        (kinds.size, "64 kB", 65536),
        (kinds.size, "64KiB", 65536),
        (kinds.size, "1.5M", 1572864),
        (kinds.size, "1g", 1 << 30),
        (kinds.size, 0, 0),
        (kinds.mode, "022", 0o22),
        (kinds.mode, "0o22", 0o22),
        (kinds.mode, "27", 0o27),
        (kinds.mode, 0o777, 0o777),
        (kinds.switch, True, True),
        (kinds.switch, "no", False),
        (kinds.switch, "Y", True),
        (kinds.switch, 1, True),
        (kinds.text, " x ", "x"),
        (kinds.path, Path("/x/y"), "/x/y"),
        (kinds.optional(kinds.text), None, None),
        (kinds.optional(kinds.text), "", None),
        (kinds.optional(kinds.text), "x", "x"),
        (kinds.one_of("a", "b"), "A", "a"),
        (kinds.words, "a, b,,c", ["a", "b", "c"]),
        (kinds.words, ("a", "b"), ["a", "b"]),
        (kinds.mapping, {"a": 1}, {"a": 1}),
        (kinds.control, True, True),
        (kinds.control, "True", True),
        (kinds.control, "false", False),
        (kinds.control, None, False),
        (kinds.control, "", False),
        (kinds.control, Path("/run/x"), "/run/x"),
        (kinds.addresses, "unix:/x", ["unix:/x"]),
        (kinds.addresses, ["a:1", "[::1]:2"], ["a:1", "[::1]:2"]),
        (kinds.networks, "10.0.0.0/8, ::1,*", ["10.0.0.0/8", "::1", "*"]),
        (kinds.user, "0", 0),
        (kinds.user, os.geteuid(), os.geteuid()),
        (kinds.user, pwd.getpwuid(0).pw_name, 0),
        (kinds.group, grp.getgrgid(0).gr_name, 0),
        (kinds.variables, "A=b=c", ["A=b=c"]),
        (kinds.variables, ["A=", "B=1"], ["A=", "B=1"]),
    ],
)
def test_a_value_is_understood(
    kind: Kind[object], written: object, value: object
) -> None:
    """What a person may write becomes the value that the program uses."""
    found = kind.convert(written)

    assert value == found
    assert type(value) is type(found)


@pytest.mark.parametrize(
    ("kind", "written", "reason"),
    [
        (kinds.seconds, "soon", "is not a number of seconds; write 30, or 0.5"),
        (kinds.seconds, -1, "is not a number of seconds; write 30, or 0.5"),
        (kinds.seconds, "nan", "is not a number of seconds; write 30, or 0.5"),
        (kinds.seconds, float("inf"), "is not a number of seconds; write 30, or 0.5"),
        (kinds.seconds, True, "is not a number of seconds; write 30, or 0.5"),
        (kinds.seconds, None, "is not a number of seconds; write 30, or 0.5"),
        (kinds.count, -1, "is not a whole number of 0 or more"),
        (kinds.count, 1.5, "is not a whole number of 0 or more"),
        (kinds.count, "x", "is not a whole number of 0 or more"),
        (kinds.count, False, "is not a whole number of 0 or more"),
        (kinds.positive, 0, "is not a whole number of 1 or more"),
        (
            kinds.workers,
            "many",
            'is not a whole number of 1 or more, nor "auto" (one per usable processor)',
        ),
        (kinds.one_of("auto", "on", "off"), "yes", "is none of auto, on, off"),
        (kinds.one_of("drop", "refuse"), True, "is none of drop, refuse"),
        (kinds.size, "1X", "is not a size in bytes; write 65536, or 64K, 1M, 1G"),
        (kinds.size, -1, "is not a size in bytes; write 65536, or 64K, 1M, 1G"),
        (kinds.size, True, "is not a size in bytes; write 65536, or 64K, 1M, 1G"),
        (kinds.mode, "9", "is not a set of permission bits; write it in octal: 0o022"),
        (
            kinds.mode,
            0o10000,
            "is not a set of permission bits; write it in octal: 0o022",
        ),
        (kinds.switch, "maybe", "is neither True nor False"),
        (kinds.switch, 2, "is neither True nor False"),
        (kinds.text, 5, "is not a text but an int; put it in quotes"),
        (kinds.one_of("a", "b"), "c", "is none of a, b"),
        (kinds.one_of("a", "b"), None, "is none of a, b"),
        (kinds.words, 5, "is not a list of texts but an int"),
        (kinds.mapping, [], "is not a dictionary but a list"),
        (kinds.mapping, {1: 2}, "is not a dictionary of texts: a key is no text"),
        (kinds.addresses, [], "names no address; write for example 127.0.0.1:8000"),
        (
            kinds.addresses,
            "80",
            "is no address to listen on: a port alone is no address;"
            " write 127.0.0.1:80",
        ),
        (
            kinds.networks,
            "10.0.0.1/8",
            "does not list addresses, networks or *: 10.0.0.1/8 has host bits set",
        ),
        (kinds.user, "nobody-here", "is no user of this machine (see /etc/passwd)"),
        (kinds.group, "nobody-here", "is no group of this machine (see /etc/group)"),
        (kinds.variables, "A", "has no variable in 'A'; write NAME=VALUE"),
    ],
)
def test_a_wrong_value_is_told_with_the_cure(
    kind: Kind[object], written: object, reason: str
) -> None:
    """The text ends a sentence: what is wrong with the value, what to write."""
    assert reason == complaint(kind, written)
