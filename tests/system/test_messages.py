"""Messages in and out of bytes."""

import json

import pytest

from tiamat.system import messages
from tiamat.system.messages import (
    Accept,
    BeMain,
    Changed,
    Check,
    Checked,
    Drain,
    Dump,
    Facts,
    Failed,
    Fork,
    Handed,
    Look,
    Message,
    Missed,
    NotSpawned,
    Post,
    Posted,
    Pulse,
    Ready,
    Relieved,
    Reopen,
    Retiring,
    Spawned,
    Stack,
    TakeOver,
    decode,
    encode,
)

EXAMPLES: list[Message] = [
    Ready(),
    Pulse(),
    Retiring("max_requests"),
    Stack('Thread 1:\n  File "app.py", line 2\n'),
    Failed(3, "ModuleNotFoundError: näme"),
    Checked(503, "GET /healthz answered 503"),
    Changed("shop/views.py, shop/urls.py"),
    Post("numbers", [1, 2.5, None, {"a": "ä" * 1000}], "all"),
    Post("", "text", 3),
    Posted("numbers", {"a": True}, None),
    Missed(7),
    Look(),
    Facts({"target": 2, "backlog": {"http://127.0.0.1:8000": 3}}),
    Handed(),
    Fork(3, 2, 9, 17, {"127.0.0.1:8000": False, "fd://3": True}),
    Spawned(4711),
    NotSpawned("Resource temporarily unavailable"),
    Accept(),
    Check(),
    Drain(final=True),
    Drain(final=False),
    Reopen(),
    Dump(),
    Dump(condemned=True),
    TakeOver(),
    BeMain(),
    Relieved(),
]


@pytest.mark.parametrize("message", EXAMPLES, ids=repr)
def test_a_message_comes_out_as_it_went_in(message: Message) -> None:
    """Every kind survives the way over a channel, with its values."""
    assert message == decode(encode(message))


def test_every_kind_has_an_example() -> None:
    """No kind of message is left out of these tests."""
    assert set(messages.KINDS.values()) == {type(example) for example in EXAMPLES}


def test_a_message_can_be_read_in_a_trace() -> None:
    """On the wire it is JSON: its name and its values."""
    assert ["Drain", {"final": True}] == json.loads(encode(Drain(final=True)))


def test_of_a_long_text_the_end_is_kept() -> None:
    """A traceback says at its end what happened."""
    text = "x" * messages.TEXT_LIMIT + "ValueError: 5"

    assert Failed(3, text[-messages.TEXT_LIMIT :]) == decode(encode(Failed(3, text)))


def test_a_text_of_undecodable_bytes_survives() -> None:
    """A file name that is no UTF-8 has surrogates; they come back."""
    message = Failed(3, b"/srv/\xff.py".decode("utf-8", "surrogateescape"))

    assert message == decode(encode(message))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Ready",
        b"\xff\xfe",
        b"5",
        b"[]",
        b'["Ready"]',
        b'["Ready", {}, {}]',
        b'["Ready", []]',
        b'["Ready", {"reason": "x"}]',
        b'["Retiring", {}]',
        b'["Message", {}]',
        b'[["Ready"], {}]',
        b'{"Ready": {}}',
    ],
)
def test_what_is_no_message_is_an_error(data: bytes) -> None:
    """Whatever a worker gone bad sends, it is a ValueError, never another one."""
    with pytest.raises(ValueError):  # noqa: PT011  # json's words, or ours
        decode(data)
