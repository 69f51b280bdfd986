"""How many workers there are, of what class, and how long they may take."""

from tiamat.config import helper_kinds, http_kinds, kinds
from tiamat.config.code import a_class
from tiamat.config.setting import FromEnviron, Section, Setting


class Processes(Section):
    """Worker processes"""

    workers = Setting(
        "-w",
        "--workers",
        type=kinds.workers,
        default=1,
        environ=FromEnviron("WEB_CONCURRENCY"),
        help="""
            How many worker processes serve; `auto` is one per usable processor.

            `auto` counts what this process may use: its affinity and its cgroup
            quota, so a container with two of 64 processors gets two workers.
        """,
    )
    worker_class = Setting(
        "-k",
        "--worker-class",
        type=kinds.optional(a_class),
        default=None,
        help="""
            The class of the workers: a name, or `module:Class`.

            By default the application decides: `asgi` serves ASGI, and WSGI is served
            by `sync`, or by `threads` if there are more than one per worker.
            Names are our own (`sync`, `threads`, `gevent`, `asgi`, `h11`), gunicorn's
            for the same, and those that installed packages declare as entry points
            of the groups `tiamat.workers` and `gunicorn.workers`. See workers.md.
        """,
    )
    script = Setting(
        "-s",
        "--script",
        type=kinds.optional(kinds.text),
        default=None,
        help="""
            A worker script: a file or a module that defines `run(config)`.

            What that returns is served on the sockets of `bind`: a server of any kind,
            of HTTP or not. It takes the place of the application. See raw-tcp.md.
        """,
    )
    threads = Setting(
        "--threads",
        type=kinds.positive,
        default=1,
        help="""
            How many threads of each worker run the application.

            Above 1, `sync` is `threads`. Without effect on `gevent` and `asgi`.
        """,
    )
    worker_connections = Setting(
        "--worker-connections",
        type=kinds.positive,
        default=1000,
        help="""
            How many connections of a worker may have a request in the application.

            What comes beyond that waits for its turn, and new connections are left to
            other workers. Without effect on `sync`, where it is one, and on `threads`,
            where it is `threads`. With `asgi` and `h11` a request counts until its
            response has begun to be sent in pieces: open WebSockets, streams of events
            and readers of large responses don't count. Open connections are bounded by
            `limit_connections`.
        """,
    )
    max_requests = Setting(
        "--max-requests",
        type=kinds.count,
        default=0,
        help="""
            A worker retires after this many requests; 0 is never.

            It goes on serving until its replacement is ready, so no request waits
            for it. Helps against applications that leak memory.
        """,
    )
    max_requests_jitter = Setting(
        "--max-requests-jitter",
        type=kinds.count,
        default=0,
        help="""
            Up to this many requests are added to `max_requests`, by chance.

            Else workers that started together retire together.
        """,
    )
    max_worker_age = Setting(
        "--max-worker-age",
        type=kinds.seconds,
        default=0.0,
        help="""
            A worker retires when it has served for so long, in seconds; 0 is never.

            Up to a tenth less, by chance, so that workers that started together don't
            retire together. It goes on serving until its replacement is ready.
        """,
    )
    max_worker_memory = Setting(
        "--max-worker-memory",
        type=kinds.size,
        default=0,
        help="""
            A worker retires when its private memory is more: `300M`; 0 is never.

            Or up to a tenth less, by chance. It is looked at every five seconds, and
            goes on serving until its replacement is ready. Private is what it shares
            with no other process: what would be free without it. A worker that begins
            with more is warned of and left alone, since the next one would, too.
            Linux only.
        """,
    )
    timeout = Setting(
        "-t",
        "--timeout",
        type=kinds.seconds,
        default=30.0,
        help="""
            A worker that is silent for longer is killed and replaced, in seconds.

            For `sync` this is the longest a request may take in the application.
            The log gets its stack and its request first. 0 switches it off.
        """,
    )
    request_timeout = Setting(
        "--request-timeout",
        type=kinds.seconds,
        default=0.0,
        help="""
            A request that has been in the application for longer is ended, in seconds.

            For `threads`, `gevent` and `asgi`, whose workers are not silent while
            one request takes long. A thread can't be ended: its worker is replaced.
            0 switches it off; then a request older than `timeout` is logged, with
            its stack.
        """,
    )
    slow_request_log = Setting(
        "--slow-request-log",
        type=kinds.seconds,
        default=0.0,
        help="""
            A request that has been in the application for longer is logged, in seconds.

            Once, with the stack that it has at that moment. 0 is `timeout`, which for
            `sync` ends the worker, so that there it is off.
        """,
    )
    graceful_timeout = Setting(
        "--graceful-timeout",
        type=kinds.seconds,
        default=30.0,
        help="""
            How long requests may go on after a graceful stop began, in seconds.

            The same for a worker that retires. What is left then is killed.
        """,
    )
    drain_delay = Setting(
        "--drain-delay",
        type=kinds.seconds,
        default=0.0,
        help="""
            How long connections are still accepted after TERM, in seconds.

            Meanwhile `/readyz` says that the server is not ready, so that a load
            balancer sends its requests elsewhere; then the graceful stop begins. A
            second TERM ends the wait. See deploying.md.
        """,
    )
    boot_timeout = Setting(
        "--boot-timeout",
        type=kinds.seconds,
        default=120.0,
        help="""
            How long a worker may take to load the application, in seconds.

            0 switches it off.
        """,
    )
    preload_app = Setting(
        "--preload",
        type=kinds.switch,
        default=False,
        help="""
            Load the application once, in a process from which workers are forked.

            Workers then share its memory, and are there at once. A reload loads it
            again, in a new such process. It is loaded with the rights of the master,
            before workers drop them. Only Linux has it in this way; elsewhere the
            master loads it, and a reload does not load it again. Without effect under
            `reload`. See preload.md.
        """,
    )
    keepalive = Setting(
        "--keep-alive",
        type=kinds.seconds,
        default=2.0,
        help="""
            How long a kept-alive connection may stay silent, in seconds.

            0 closes after every response. Behind a load balancer, stay above the
            balancer's own idle timeout: it must be the one that closes.
        """,
    )
    max_surge = Setting(
        "--max-surge",
        type=kinds.count,
        default=1,
        help="""
            How many workers more than `workers` there may be during a reload.

            The replacement of a worker is started before the old one retires.
        """,
    )
    max_unavailable = Setting(
        "--max-unavailable",
        type=kinds.count,
        default=0,
        help="""
            How many workers fewer than `workers` may serve during a reload.

            Where memory does not allow one more worker, 1 here and 0 for
            `max_surge` replaces them in their place.
        """,
    )
    reload_watch = Setting(
        "--reload-watch",
        type=kinds.seconds,
        default=10.0,
        help="""
            How long the workers of a reload must live for it to stay, in seconds.

            Counted from when all of them serve. If one dies before, in whatever way,
            the settings before the reload are in force again, and workers made of
            them replace the new ones.
        """,
    )
    reload_check = Setting(
        "--reload-check",
        type=kinds.optional(http_kinds.target),
        default=None,
        help="""
            A path, or a URL, that the first worker of a reload must answer.

            It puts the request to itself before it accepts connections. If the answer
            is not as in `reload_check_status`, the reload is refused and the old
            workers go on. A URL says which host and scheme the application is told.
            Not at a start, where there is nothing to go back to. See reload.md.
        """,
    )
    reload_check_status = Setting(
        "--reload-check-status",
        type=http_kinds.statuses,
        default="200-299",
        help="""
            With which statuses the answer to `reload_check` is good: `200-299,401`.
        """,
    )
    reload_check_timeout = Setting(
        "--reload-check-timeout",
        type=kinds.seconds,
        default=5.0,
        help="""
            How long `reload_check` and the hook `check_worker` may take, in seconds.

            Each of them; a worker that takes longer is refused. 0 switches it off.
        """,
    )
    helpers = Setting(
        type=helper_kinds.helpers,
        default={},
        help="""
            Processes that are kept beside the workers: `{"NAME": "COMMAND"}`.

            A command, without a shell, or `module:function`, which is called in a
            process of its own. One that ends is begun again, at once or after up to 30
            seconds. They run as `user` and `group`, are replaced one by one by a
            reload, and end with the server. See helpers.md.
        """,
    )
