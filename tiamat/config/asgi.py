"""What concerns ASGI applications alone, and their WebSockets."""

from typing import Final

from tiamat.config import http_kinds, kinds
from tiamat.config.setting import Section, Setting

LOOPS: Final = {
    "asyncio": "asyncio:SelectorEventLoop",
    "uvloop": "uvloop:new_event_loop",
}
"""By name, so that whoever has no loop imports none."""


class ASGI(Section):
    """ASGI and WebSocket"""

    asgi_loop = Setting(
        "--asgi-loop",
        type=http_kinds.asgi_loop,
        default="auto",
        help="""
            The event loop: `auto`, `asyncio`, `uvloop` or `module:factory`.

            `auto` is `uvloop` where it is installed. A factory is called without
            arguments, once per worker, and returns a new loop.
        """,
    )
    asgi_lifespan = Setting(
        "--asgi-lifespan",
        type=kinds.one_of("auto", "on", "off"),
        default="auto",
        help="""
            Whether the application hears of start and stop: `auto`, `on` or `off`.

            Under `auto` an application that does not know the lifespan protocol,
            and raises an exception when it is offered it, is served without. A
            startup that fails is a boot that fails, under `auto` as under `on`.
        """,
    )
    websocket_max_message_size = Setting(
        "--websocket-max-message-size",
        type=kinds.size,
        default=16 * 1024 * 1024,
        help="""
            The most bytes of a WebSocket message; a longer one closes with 1009.

            It counts what the application would get, after decompression. 0 is no
            limit.
        """,
    )
    websocket_ping_interval = Setting(
        "--websocket-ping-interval",
        type=kinds.seconds,
        default=20.0,
        help="""
            How often a WebSocket client is asked whether it is there, in seconds.

            Pings also keep proxies from closing what is idle. 0 switches them off.
        """,
    )
    websocket_ping_timeout = Setting(
        "--websocket-ping-timeout",
        type=kinds.seconds,
        default=20.0,
        help="""
            How long a WebSocket client may take to answer a ping, in seconds.

            Then its connection is closed, and the application hears of 1011. 0
            waits for ever.
        """,
    )
    websocket_compression = Setting(
        "--websocket-compression",
        type=kinds.one_of("on", "no_context_takeover", "off"),
        default="on",
        help="""
            Whether WebSocket messages are compressed, if the client can do it.

            A compressor remembers what it has seen, which takes some ten kilobytes
            per connection. `no_context_takeover` compresses each message for
            itself: worse, and without that memory.
        """,
    )
