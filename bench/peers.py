"""The servers that are compared, and how each is started with one worker."""

from __future__ import annotations

from dataclasses import dataclass

THREADS = 8  # of the servers that have a pool


@dataclass(frozen=True)
class Server:
    """A server and its command; {bin}, {app}, {port} and {threads} are filled in."""

    name: str
    group: str  # what it is compared with: see GROUPS
    base: str  # the row of ours that its ratio refers to
    package: str  # whose version belongs to its figures
    command: str
    tls: str = ""  # flags for TLS; {cert} and {key} are filled in. "" speaks none


GROUPS = {
    "wsgi": "WSGI, one request at a time",
    "threads": f"WSGI, {THREADS} threads",
    "gevent": "WSGI, greenlets",
    "asgi": "ASGI",
}

# One worker, no access log, room for the idle connections of a scenario, and
# keep-alive that outlives it, as do the heads of slow senders; all else as each
# server comes.
_TIAMAT = (
    "{bin}/tiamat -w 1 -b 127.0.0.1:{port} --keep-alive 60 --header-timeout 120"
    " --log-level warning {app} -k"
)
_GUNICORN = (
    "{bin}/gunicorn -w 1 -b 127.0.0.1:{port} --no-control-socket --keep-alive 60"
    " --log-level warning {app} -k"
)
_GRANIAN = (
    "{bin}/granian --workers 1 --host 127.0.0.1 --port {port} --backlog 4096"
    " --no-access-log --log-level warning {app} --interface"
)
_UVICORN = (
    "{bin}/uvicorn --host 127.0.0.1 --port {port} --timeout-keep-alive 60"
    " --no-access-log --log-level warning {app}"
)
_HYPERCORN = (
    "{bin}/hypercorn -w 1 -b 127.0.0.1:{port} --keep-alive 60 -k uvloop"
    " --log-level warning {app}"
)
_WAITRESS = (
    "{bin}/waitress-serve --listen=127.0.0.1:{port} --threads=1"
    " --connection-limit=5000 --asyncore-use-poll {app}"
)
_BJOERN = "{bin}/python -m bench.serve_bjoern {app} {port}"
_FASTPYSGI = "{bin}/fastpysgi --host 127.0.0.1 --port {port} {app}"
_PAIR = " --certfile {cert} --keyfile {key}"
_GRANIANS = " --ssl-certificate {cert} --ssl-keyfile {key}"
_UVICORNS = " --ssl-certfile {cert} --ssl-keyfile {key}"
_MANY = " --worker-connections 10000"

_ALL = (
    Server("tiamat", "wsgi", "tiamat", "tiamat-server", f"{_TIAMAT} sync", _PAIR),
    Server("granian", "wsgi", "tiamat", "granian", f"{_GRANIAN} wsgi", _GRANIANS),
    Server("bjoern", "wsgi", "tiamat", "bjoern", _BJOERN),
    Server("waitress", "wsgi", "tiamat", "waitress", _WAITRESS),
    Server("gunicorn", "wsgi", "tiamat", "gunicorn", f"{_GUNICORN} sync", _PAIR),
    Server(
        "tiamat-threads",
        "threads",
        "tiamat-threads",
        "tiamat-server",
        f"{_TIAMAT} threads --threads {{threads}}",
        _PAIR,
    ),
    Server(
        "granian-threads",
        "threads",
        "tiamat-threads",
        "granian",
        f"{_GRANIAN} wsgi --blocking-threads {{threads}}",
        _GRANIANS,
    ),
    Server(
        "gunicorn-gthread",
        "threads",
        "tiamat-threads",
        "gunicorn",
        f"{_GUNICORN} gthread --threads {{threads}}{_MANY}",
        _PAIR,
    ),
    Server(
        "tiamat-gevent",
        "gevent",
        "tiamat-gevent",
        "gevent",
        f"{_TIAMAT} gevent{_MANY}",
        _PAIR,
    ),
    Server(
        "gunicorn-gevent",
        "gevent",
        "tiamat-gevent",
        "gunicorn",
        f"{_GUNICORN} gevent{_MANY}",
        _PAIR,
    ),
    Server(
        "tiamat-asgi", "asgi", "tiamat-asgi", "tiamat-server", f"{_TIAMAT} asgi", _PAIR
    ),
    Server("tiamat-h11", "asgi", "tiamat-asgi", "h11", f"{_TIAMAT} h11", _PAIR),
    Server(
        "uvicorn",
        "asgi",
        "tiamat-asgi",
        "uvicorn",
        f"{_UVICORN} --http httptools --loop uvloop",
        _UVICORNS,
    ),
    Server(
        "uvicorn-h11",
        "asgi",
        "tiamat-h11",
        "uvicorn",
        f"{_UVICORN} --http h11 --loop uvloop",
        _UVICORNS,
    ),
    Server(
        "granian-asgi", "asgi", "tiamat-asgi", "granian", f"{_GRANIAN} asgi", _GRANIANS
    ),
    Server("hypercorn", "asgi", "tiamat-h11", "hypercorn", _HYPERCORN, _PAIR),
    Server(
        "gunicorn-asgi",
        "asgi",
        "tiamat-asgi",
        "gunicorn",
        f"{_GUNICORN} asgi{_MANY}",
        _PAIR,
    ),
    Server("fastpysgi", "asgi", "tiamat-asgi", "fastpysgi", _FASTPYSGI),
)
SERVERS = {server.name: server for server in _ALL}
OURS = tuple(name for name in SERVERS if name.startswith("tiamat"))
