"""
What becomes of each of gunicorn's 120 settings: one row each, for people.

The manual's page for those who come from gunicorn has the rows as a table, and
``tiamatctl migrate`` says the one that concerns a configuration.

    python -m tiamat.config.gunicorn < page > page-with-the-table
"""

import re
import sys
from dataclasses import dataclass
from typing import Final

from tiamat.config.accepted import INSTEAD
from tiamat.config.config import Config


@dataclass(frozen=True, slots=True)
class Row:
    """
    One setting of gunicorn's.

    Attributes:
        verdict: ``same``; ``better``: as there, without a fault of it; ``differs``:
            look at it; ``not here``: it has no effect.
        words: what else there is to say: a sentence, or nothing.
    """

    name: str
    verdict: str
    words: str


ROWS: Final = """
config: same. `./tiamat.conf.py` is looked for first.
wsgi_app: same.

bind: better. A reload lets go of an address only when nobody needs it any more;
  a Unix socket that a server answers on is never taken away.
backlog: same.
reuse_port: better. The master makes the sockets and keeps them, and all workers accept
  from all, so that a worker's end loses no connection.

workers: better. `auto` counts what the container may use; 0 is refused.
worker_class: differs. Without it the application decides: `asgi`, `threads` or `sync`.
  gunicorn's names mean ours; classes of other packages run as they are.
threads: same. `sync` with more than one is `threads`; 0 is refused.
worker_connections: better. It holds for `asgi` too, and counts requests in the
  application instead of sockets.
max_requests: better. The replacement is ready before the worker goes.
max_requests_jitter: same.
timeout: better. The log has stack and request of who is killed; clients that are slow
  to send or read do not count.
graceful_timeout: better. It holds for reloads, too: who is late is killed.
keepalive: differs. It holds for `sync`, too.
asgi_loop: same. `module:factory` as well.
asgi_lifespan: better. A startup that fails is a boot that fails, also under `auto`.
asgi_disconnect_grace_period: not here.
websocket_max_message_size: better. It counts what the application gets, after
  decompression.
http_parser: differs. `fast` and `python` mean `httptools` and `h11`, which accept the
  same requests.

limit_request_line: better. 0 leaves only `limit_request_head`; more than 8190 is
  possible.
limit_request_fields: same. 0 leaves only `limit_request_head`.
limit_request_field_size: better. 0 leaves only `limit_request_head`; there it is 8190.

reload: better. While code is broken, its traceback is served as a page.
reload_engine: same.
reload_extra_files: same. Patterns (`templates/**/*.html`) may match new files.
spew: same.
check_config: better. It looks at all settings, addresses, files and classes.
print_config: better. It says where each value comes from, and loads nothing.

accesslog: same.
disable_redirect_access_to_syslog: same.
access_log_format: better. The log warns of an atom that is none; it is `-`, as there.
  `json` as well.
errorlog: same.
loglevel: differs. `warn` and `fatal` are levels, too. Another word is an error; there
  it is `info`.
capture_output: same.
logger_class: better. `tiamat.compat.logger.Logger` is gunicorn's `Logger` on files that
  nobody waits for.
logconfig: same. What it says of `gunicorn.error` holds for `tiamat.error`.
logconfig_dict: same.
logconfig_json: same.
syslog_addr: same.
syslog: better. A daemon that is slow or gone delays nobody.
syslog_prefix: same.
syslog_facility: same.
enable_stdio_inheritance: same.
statsd_host: better. A datagram has the figures of up to 25 requests.
dogstatsd_tags: same.
statsd_prefix: same.
enable_backlog_metric: same.

proc_name: same.
default_proc_name: not here.

keyfile: same.
certfile: better. It may be several; one that can't be used ends the start.
ssl_version: not here. The `ssl_context` hook says which versions of TLS there are; no
  effect in gunicorn either.
cert_reqs: same.
ca_certs: same.
suppress_ragged_eofs: better. `--suppress-ragged-eofs=false` switches it off.
do_handshake_on_connect: not here. A handshake keeps nobody waiting but its client.
ciphers: same.

preload_app: better. A process of its own loads the application, so a reload loads it
  again; `pre_fork` runs there.
sendfile: differs. `sendfile = True` in a file switches it on; in gunicorn, off.
chdir: same.
daemon: better. The command waits until the server serves.
raw_env: same.
pythonpath: better. `--check-config` uses it, too.
pidfile: better. It is locked, so one that was left behind does no harm.
worker_tmp_dir: not here.
user: better. Workers have no group of root's; 0 is a user, too.
group: better. Without it, it is the login group of `user`.
umask: differs. A text is octal, also without a 0 in front: `22`.
initgroups: same.
tmp_upload_dir: better. Bodies that outgrow memory are kept there; dead in gunicorn.
secure_scheme_headers: same.
forwarded_allow_ips: same.
paste: same.
raw_paste_global_conf: same.
proxy_protocol: same.
proxy_allow_ips: same.
protocol: better. Values are checked.
uwsgi_allow_ips: better. Networks hold.
permit_obsolete_folding: not here.
strip_header_spaces: not here.
permit_unconventional_http_method: not here.
permit_unconventional_http_version: not here.
casefold_http_method: not here.
forwarder_headers: same.
header_map: same.
root_path: better. It holds for WSGI, too: SCRIPT_NAME.

control_socket: differs. Off unless it is set; its language is `tiamatctl`'s.
control_socket_mode: not here.
control_socket_disable: same.

http_protocols: not here. HTTP/2 is accepted and not offered yet.
http2_cleartext: not here. HTTP/2 is accepted and not offered yet.
http2_max_concurrent_streams: not here. HTTP/2 is accepted and not offered yet.
http2_initial_window_size: not here. HTTP/2 is accepted and not offered yet.
http2_max_frame_size: not here. HTTP/2 is accepted and not offered yet.
http2_max_header_list_size: not here. HTTP/2 is accepted and not offered yet.

dirty_apps: not here.
dirty_workers: not here.
dirty_timeout: not here.
dirty_threads: not here.
dirty_graceful_timeout: not here.
on_dirty_starting: not here.
dirty_post_fork: not here.
dirty_worker_init: not here.
dirty_worker_exit: not here.

on_starting: same.
on_reload: differs. It is called when the first new worker is ready.
when_ready: same.
pre_fork: differs. `worker.pid` is 0 in it. With `preload_app` it runs in the process
  that forks.
post_fork: same.
post_worker_init: same. `worker.booted` is False in it, as there.
worker_int: differs. Not on `reload`, which retires workers as HUP does.
worker_abort: better. It also runs in a worker whose loop is blocked.
pre_exec: same.
pre_request: same.
post_request: better. ASGI applications have environ and resp in it, always.
child_exit: better. Also after a boot that failed.
worker_exit: better. In the worker only, never in the master.
nworkers_changed: better. Only when the number has changed.
on_exit: better. Also when the server could not start its workers.
ssl_context: better. Once per worker and for new files, not once per connection.
"""

LINE: Final = re.compile(
    r"^(\w+): (same|better|differs|not here)\.[ ]?(.*(?:\n  .*)*)", re.MULTILINE
)

MARK: Final = "<!-- What follows is made by `python -m tiamat.config.gunicorn`. -->\n"

HEAD: Final = """
| setting | here | |
|---|---|---|
"""


def rows() -> dict[str, Row]:
    """All of gunicorn's settings, by name, in the order of our manual."""
    return {
        match[1]: row(match[1], match[2], match[3]) for match in LINE.finditer(ROWS)
    }


def row(name: str, verdict: str, words: str) -> Row:
    """What there is to say of one, whatever stands in the table by hand."""
    if verdict == "not here" and not words:
        instead = INSTEAD[name]
        words = f"{instead[0].upper()}{instead[1:]}."
    return Row(name, verdict, " ".join(words.split()) or Config.settings[name].summary)


def page(text: str) -> str:
    """The page, with its table as it should be: all that follows the mark."""
    table = (
        f"| `{one.name}` | {one.verdict} | {one.words} |\n" for one in rows().values()
    )
    return "".join([text.partition(MARK)[0], MARK, HEAD, *table])


def main() -> int:
    """Read the page, and print it with the table."""
    sys.stdout.write(page(sys.stdin.read()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
