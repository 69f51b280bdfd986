"""How requests are read, and whom to believe about them."""

from typing import Final

from tiamat.config import http_kinds, kinds
from tiamat.config.setting import FromEnviron, Section, Setting

PARSER_CLASSES: Final = {
    "auto": "tiamat.protocol.parser_httptools:Parser",
    "httptools": "tiamat.protocol.parser_httptools:Parser",
    "h11": "tiamat.protocol.parser_h11:Parser",
}
"""By name, so that whoever serves nothing loads none of them."""


class Protocols(Section):
    """HTTP and proxies"""

    http_parser = Setting(
        "--http-parser",
        type=http_kinds.http_parser,
        default="auto",
        help="""
            The parser of requests: `auto`, `httptools`, `h11` or `module:Parser`.

            All accept the same requests. `auto` is `httptools`. gunicorn's names
            `fast` and `python` mean `httptools` and `h11`.
        """,
    )
    server_header = Setting(
        "--no-server-header",
        type=kinds.switch,
        default=True,
        help="""
            Responses have `Server: tiamat`, unless the application says another one.

            The flag, or False in a file, leaves it out.
        """,
    )
    date_header = Setting(
        "--no-date-header",
        type=kinds.switch,
        default=True,
        help="""
            Responses have a `Date`, unless the application says another one.

            The flag, or False in a file, leaves it out, for a proxy that adds one
            (RFC 9110, 6.6.1, wants one of who has a clock).
        """,
    )
    header_map = Setting(
        "--header-map",
        type=kinds.one_of("drop", "refuse", "dangerous"),
        default="drop",
        help="""
            What becomes of headers with `_` in their names.

            In a WSGI environ `X_User` looks like `X-User`, so a client could forge
            what a proxy sets. `drop` leaves such headers out, `refuse` answers
            400, `dangerous` lets them through.
        """,
    )
    root_path = Setting(
        "--root-path",
        type=http_kinds.mount,
        default="",
        environ=FromEnviron("SCRIPT_NAME"),
        help="""
            The path that the application is mounted at: `/shop`.

            It is the application's SCRIPT_NAME (WSGI) or root_path (ASGI).
        """,
    )
    forwarded_allow_ips = Setting(
        "--forwarded-allow-ips",
        type=kinds.networks,
        default=["127.0.0.1", "::1"],
        environ=FromEnviron("FORWARDED_ALLOW_IPS"),
        help="""
            Proxies whose word about the client is taken: addresses, networks, `*`.

            Their `secure_scheme_headers`, `forwarder_headers` and `forwarded_headers`
            are believed, nobody else's. Who comes over a Unix socket is one of them.
        """,
    )
    forwarded_headers = Setting(
        "--forwarded-headers",
        type=kinds.one_of(
            "auto", "x-forwarded-for", "x-forwarded", "forwarded", "none"
        ),
        default="auto",
        help="""
            The headers by which a proxy names the client: `x-forwarded`, for example.

            Only from `forwarded_allow_ips`. `x-forwarded-for` is that header alone,
            `x-forwarded` is X-Forwarded-For, -Host, -Port and -Prefix; set it if your
            proxy sets or removes all of them. `forwarded` is Forwarded (RFC 7239), also
            for the scheme, and `secure_scheme_headers` has no effect then. With `none`
            the client is who is connected. `auto` is `none` for WSGI, as with gunicorn,
            and `x-forwarded-for` for ASGI, as with uvicorn. See proxies.md.
        """,
    )
    secure_scheme_headers = Setting(
        type=http_kinds.headers,
        default={
            "X-FORWARDED-PROTOCOL": "ssl",
            "X-FORWARDED-PROTO": "https",
            "X-FORWARDED-SSL": "on",
        },
        help="""
            Headers, and their values, by which a proxy says that it was https.

            Only from `forwarded_allow_ips`. A request in which they contradict one
            another gets 400.
        """,
    )
    forwarder_headers = Setting(
        "--forwarder-headers",
        type=kinds.words,
        default=["SCRIPT_NAME", "PATH_INFO"],
        help="""
            Names with `_` that a proxy may set in spite of `header_map`.

            Only from `forwarded_allow_ips`.
        """,
    )
    protocol = Setting(
        "--protocol",
        type=kinds.one_of("http", "uwsgi"),
        default="http",
        help="""
            What is spoken on every address: `http` or `uwsgi` (nginx's `uwsgi_pass`).

            A connection of uwsgi has one request. The client, the server's name and
            port, the scheme and the mount point are what the variables say, and all
            others are in the environ. See proxies.md.
        """,
    )
    uwsgi_allow_ips = Setting(
        "--uwsgi-allow-from",
        type=kinds.networks,
        default=["127.0.0.1", "::1"],
        help="""
            Who may connect under `protocol = uwsgi`: addresses, networks, `*`.

            Anybody else could claim to be any client, so connections from elsewhere
            are closed. A Unix socket admits by its permissions.
        """,
    )
    proxy_protocol = Setting(
        "--proxy-protocol",
        type=http_kinds.proxy_protocol,
        default="off",
        help="""
            Whether connections begin with a PROXY header: `off`, `v1`, `v2` or `auto`.

            `auto` takes either version; the flag without a value and `True` mean it.
            The client, the server's address, and with version 2 the scheme, are then
            what the header says. Each connection needs one: one without is closed.
            See proxies.md.
        """,
    )
    proxy_allow_ips = Setting(
        "--proxy-allow-from",
        type=kinds.networks,
        default=["127.0.0.1", "::1"],
        help="""
            Who may connect under `proxy_protocol`: addresses, networks, `*`.

            Anybody else could claim to be any client, so connections from elsewhere
            are closed. A Unix socket admits by its permissions.
        """,
    )
