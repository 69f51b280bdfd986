"""The loads that the servers are compared under."""

from __future__ import annotations

from dataclasses import dataclass

from bench.wrk import Request

# What a browser sends with a page's second request: with Host fourteen
# headers, about 900 bytes.
BROWSER = (
    ("Connection", "keep-alive"),
    ("Cache-Control", "max-age=0"),
    ("sec-ch-ua", '"Chromium";v="130", "Not?A_Brand";v="99"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("Upgrade-Insecure-Requests", "1"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/130.0.0.0 Safari/537.36",
    ),
    (
        "Accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,"
        "image/webp,image/apng,*/*;q=0.8",
    ),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Referer", "https://www.example.com/catalogue/books?page=3&sort=title"),
    ("Accept-Language", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"),
    (
        "Cookie",
        "sessionid=4jh7p0c2v8n1q6w3x9z5b7m4k2l8d6f1; csrftoken="
        "Zt6hQ2mV9xK4bN7cR1wY5uJ8pL3sD0fG6aE2oI4kT7qX9vB1nM5rW8yC3zH6jU0l; theme=dark",
    ),
)


PLAIN = Request()
FOURTEEN = Request(BROWSER)
# Tiamat keeps what a header section was read to, for when it comes again; wrk
# repeats it always, clients do so often. This is what it costs when none comes again.
VARIED = Request(BROWSER, varied=64)
ECHO = "bench.asgi_apps:echo"
POST = Request(method="POST", body_size=10_000)


@dataclass(frozen=True)
class Scenario:
    """One kind of load, and the application under it."""

    name: str
    title: str
    app: str = "bench.apps:hello"
    request: Request = PLAIN
    idle: int = 0  # kept-alive connections that wait beside the load
    group: str = "wsgi"
    message_size: int = 0  # of a WebSocket's messages; 0: no WebSocket
    tls: bool = False


def _asgi(
    name: str,
    title: str,
    *,
    app: str = "bench.asgi_apps:hello",
    request: Request = PLAIN,
    message_size: int = 0,
    tls: bool = False,
) -> Scenario:
    return Scenario(
        f"asgi-{name}",
        title,
        app,
        request,
        group="asgi",
        message_size=message_size,
        tls=tls,
    )


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("hello", "Hello world, 1 header"),
        Scenario("browser", "Hello world, 14 headers", request=FOURTEEN),
        Scenario("varied", "Hello world, 14 headers, one differs", request=VARIED),
        Scenario("flask", "Flask view, JSON", app="bench.flask_app:app"),
        Scenario(
            "post",
            "POST of 10 kB, read by the application",
            app="bench.apps:read_body",
            request=POST,
        ),
        Scenario("megabyte", "Response of 1 MB", app="bench.large_apps:megabyte"),
        Scenario(
            "close",
            "A connection per request",
            request=Request((("Connection", "close"),)),
        ),
        Scenario("tls", "TLS, 14 headers", request=FOURTEEN, tls=True),
        Scenario("idle", "1,000 idle connections beside the load", idle=1000),
        *(
            Scenario(f"{group}-{name}", title, request=request, group=group)
            for group in ("threads", "gevent")
            for name, title, request in (
                ("hello", "Hello world, 1 header", PLAIN),
                ("browser", "Hello world, 14 headers", FOURTEEN),
                ("varied", "Hello world, 14 headers, one differs", VARIED),
            )
        ),
        _asgi("hello", "Hello world, 1 header"),
        _asgi("browser", "Hello world, 14 headers", request=FOURTEEN),
        _asgi("tls", "TLS, 14 headers", request=FOURTEEN, tls=True),
        _asgi("varied", "Hello world, 14 headers, one differs", request=VARIED),
        _asgi("fastapi", "FastAPI view, JSON", app="bench.fastapi_app:app"),
        _asgi(
            "post",
            "POST of 10 kB, read by the application",
            app="bench.asgi_apps:read_body",
            request=POST,
        ),
        _asgi("stream", "Stream of 100 chunks", app="bench.asgi_apps:stream"),
        _asgi("echo", "WebSocket, echo of 100 B", app=ECHO, message_size=100),
        _asgi("echo-64k", "WebSocket, echo of 64 kB", app=ECHO, message_size=65_536),
    )
}
