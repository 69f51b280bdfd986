"""Packets of uwsgi, as a proxy sends them."""

import struct

PLAIN = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/a b",
    "QUERY_STRING": "q=%20",
    "REQUEST_URI": "/x/../a%20b?q=%20",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_NAME": "shop.example",
    "SERVER_PORT": "8443",
    "REMOTE_ADDR": "192.0.2.7",
    "REMOTE_PORT": "4711",
    "HTTPS": "on",
    "CONTENT_LENGTH": "",
    "CONTENT_TYPE": "",
    "HTTP_HOST": "shop.example:8443",
    "HTTP_X_ONE": "1",
    "HTTP_CONNECTION": "keep-alive",
    "REMOTE_USER": "me",
}


def pack(variables: dict[str, str] | list[tuple[str, str]], modifier: int = 0) -> bytes:
    """A packet of these variables."""
    pairs = variables.items() if isinstance(variables, dict) else variables
    block = b""
    for pair in pairs:
        for text in pair:
            data = text.encode("latin-1")
            block += struct.pack("<H", len(data)) + data
    return struct.pack("<BHB", modifier, len(block), 0) + block


def packed(**changes: str | None) -> bytes:
    """The plain one with some of its variables changed, or left out."""
    variables: dict[str, str | None] = {**PLAIN, **changes}
    return pack({name: text for name, text in variables.items() if text is not None})
