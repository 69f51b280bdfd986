"""
``--check-config``: everything that can be found out without serving.

What may leave traces, crash or hang (the application, a logging configuration) is
tried in a forked process.
"""

import os
import re
import select
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from tiamat.config import application, named
from tiamat.config.config import Config, complaint
from tiamat.config.helper_kinds import command
from tiamat.errors import BindError, TiamatError
from tiamat.gateways import interface, loader
from tiamat.observe.log import Log
from tiamat.observe.sink import STANDARD
from tiamat.system import sockets
from tiamat.system.addresses import is_given

LOG_METHODS: Final = (
    *("debug", "info", "warning", "error", "critical", "exception"),
    *("access", "access_wanted", "hold", "flush", "reopen", "chown", "detach", "close"),
)
"""What a class for ``logger_class`` has."""

FILE: Final = re.compile(r", line [\d or]+$")
"""How the origins end that are places in a file."""

ANSWER_LIMIT: Final = select.PIPE_BUF - 1
"""What a pipe takes in one piece, less the sign that there is an answer."""


ClassLoader: TypeAlias = Callable[[Any, int], Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the result; a note does not spoil it."""

    text: str
    is_note: bool = False


def check(config: Config, load_worker_class: ClassLoader) -> list[Finding]:
    """
    Everything that is wrong with the settings of a server that would start now.

    Args:
        config: the settings, entered by this process.
        load_worker_class: makes a class of the settings ``worker_class`` and
            ``threads``, or raises TiamatError.
    """
    return [
        *check_application(config, load_worker_class),
        *check_worker_class(config, load_worker_class),
        *check_parser(config),
        *check_loop(config),
        *check_log(config),
        *check_tls(config),
        *check_addresses(config),
        *check_status(config),
        *check_files(config),
        *check_helpers(config),
    ]


def check_application(
    config: Config, load_worker_class: ClassLoader
) -> Iterator[Finding]:
    """The application can be imported, and is one for these workers."""
    app = config.app
    if app is None:
        yield Finding("no application; name it: tiamat module:name")
        return

    def attempt() -> str:
        try:
            found = application.load(config)
        except TiamatError as error:
            return str(error)
        if application.makes_server(config):
            return ""  # what it makes shows when it is called, in a worker
        spoken = interface.interface(found)
        try:
            kind = load_worker_class(config.worker_class, config.threads)
        except TiamatError:
            return ""  # said below
        if spoken not in kind.interfaces:
            return interface.refusal(app, spoken, config.worker_class)
        return ""

    result = in_child(f"importing {app!r}", attempt, config.boot_timeout or None)
    if result:
        name = "paste" if config.paste else "wsgi_app"
        given = not config.sources.app and config.sources.application is None
        yield Finding(placed(config, name, result) if given else result)


def check_worker_class(
    config: Config, load_worker_class: ClassLoader
) -> Iterator[Finding]:
    """The worker class can be imported."""
    try:
        load_worker_class(config.worker_class, config.threads)
    except TiamatError as error:
        yield Finding(placed(config, "worker_class", str(error)))


def check_parser(config: Config) -> Iterator[Finding]:
    """The parser can be imported."""
    try:
        named.parser(config)
    except TiamatError as error:
        yield Finding(str(error))


def check_loop(config: Config) -> Iterator[Finding]:
    """The event loop that the settings ask for can be imported."""
    if "asgi_loop" not in config.origins:
        return
    try:
        named.loop_factory(config)
    except TiamatError as error:
        yield Finding(str(error))


def check_log(config: Config) -> Iterator[Finding]:
    """The logger class is one, and the logging configuration can be used."""
    try:
        kind = named.logger_class(config)
    except TiamatError as error:
        yield Finding(str(error))
        return
    methods = () if named.is_foreign(kind) else LOG_METHODS
    missing = [name for name in methods if not hasattr(kind, name)]
    if missing:
        reason = f"is no logger: it has no {', '.join(missing)}"
        yield trouble(config, "logger_class", reason)

    def attempt() -> str:
        try:
            Log(logconfig=named.logging_configuration(config))
        except (OSError, ValueError) as error:
            return str(error)
        return ""

    name = named.logging_setting(config)
    if config.values[name] and (result := in_child(name, attempt, 30.0)):
        yield trouble(config, name, f"is no logging configuration: {result}")


def check_tls(config: Config) -> Iterator[Finding]:
    """Certificates and keys can be used."""
    if not config.is_ssl:
        return

    def attempt() -> str:
        from tiamat.config.contexts import make_context

        try:
            make_context(config)
        except TiamatError as error:
            return str(error)
        return ""

    if result := in_child("making a TLS context", attempt, 30.0):
        name = result.partition(" ")[0]
        name = name if name in config.settings else "certfile"
        yield Finding(placed(config, name, result))


def check_addresses(config: Config) -> Iterator[Finding]:
    """
    Each address can be listened on, or a server (ours, perhaps) does already.

    Never by ``reuse_port``: we would get connections that are for that server.
    """
    owner = (config.user, config.group)
    for address in config.bind:
        if is_given(address):
            continue  # open only when the server is started by who passes it
        try:
            for listener in sockets.listen(
                [address], 1, umask=config.umask, owner=owner
            ):
                listener.close()
                listener.unlink()
        except sockets.AddressInUse as error:
            text = f"{error} (no problem if it is the one to be reloaded)"
            yield Finding(placed(config, "bind", text), True)
        except BindError as error:
            yield Finding(placed(config, "bind", str(error)))


def check_status(config: Config) -> Iterator[Finding]:
    """What answers on ``status_bind`` is installed."""
    try:
        named.check_status(config)
    except TiamatError as error:
        yield Finding(str(error))


def check_files(config: Config) -> Iterator[Finding]:
    """Files can be written where the settings say."""
    for name in ("errorlog", "accesslog", "pidfile", "stdout_path"):
        path = config.values[name]
        if not path or path == "-" or path in STANDARD:
            continue
        directory = os.path.dirname(os.path.abspath(path))
        if os.path.isdir(path):
            yield trouble(config, name, "is a directory, not a file")
        elif not os.path.isdir(directory):
            yield trouble(config, name, f"has no directory; make {directory} first")
        elif not os.access(path if os.path.exists(path) else directory, os.W_OK):
            yield trouble(config, name, "can't be written: permission denied")
    spool = config.tmp_upload_dir
    if spool and not (os.path.isdir(spool) and os.access(spool, os.W_OK | os.X_OK)):
        yield trouble(config, "tmp_upload_dir", "is no directory that we may write in")
    for part in (config.pythonpath or "").split(","):
        if part.strip() and not os.path.exists(part.strip()):
            reason = f"names {part.strip()!r}, which does not exist"
            yield trouble(config, "pythonpath", reason)


def check_helpers(config: Config) -> Iterator[Finding]:
    """Commands are there, and functions can be imported; none is begun."""
    for name, what in config.helpers.items():
        if words := command(what):
            reason = without_command(words[0])
        else:
            title = f"importing {what!r}"
            limit = config.boot_timeout or None
            reason = in_child(title, lambda what=what: function_fault(what), limit)  # type: ignore[misc]
        if reason:
            origin = config.origin("helpers")
            yield Finding(complaint(f"helpers[{name!r}]", what, origin, reason))


def without_command(word: str) -> str:
    """Why a command can't be run, by its first word; nothing if it can."""
    if shutil.which(word):
        return ""
    if "/" in word and os.path.isfile(word):
        return f"can't be run: {word} is not executable"
    if "=" in word:
        return (
            f"can't be run: there is no command {word!r}; no shell reads it, so write"
            f" env {word} before the command"
        )
    where = f"in {os.getcwd()}" if "/" in word else f"in PATH, {os.environ.get('PATH')}"
    return f"can't be run: there is no command {word!r} {where}"


def function_fault(what: str) -> str:
    """Why a helper's function can't be called; nothing if it can."""
    try:
        loader.load(what)
    except TiamatError as error:
        return f"can't be called: {error}"
    return ""


def placed(config: Config, name: str, text: str) -> str:
    """A complaint about a setting, behind the file and the line that it comes from."""
    where = config.origin(name)
    if not FILE.search(where) or text.startswith(where):
        return text
    return f"{where}: {text}"


def trouble(config: Config, name: str, reason: str) -> Finding:
    """What is wrong with the value of a setting."""
    value, origin = config.values[name], config.origin(name)
    return Finding(complaint(name, value, origin, reason))


def in_child(what: str, attempt: Callable[[], str], timeout: float | None) -> str:
    """
    What *attempt* returns in a process of its own, or how that process ended.

    Args:
        what: what it does, in words.
        attempt: returns what is wrong, or nothing.
        timeout: how long it may take, in seconds; None for ever.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        text = f"{what} failed"
        try:
            text = attempt()
        except BaseException as error:
            text = f"{what} failed: {type(error).__name__}: {error}"
        finally:
            os.write(writer, b"=" + text.encode("utf-8", "replace")[:ANSWER_LIMIT])
            os._exit(0)  # no atexit functions, no destructors of the parent's
    os.close(writer)
    if select.select([reader], (), (), timeout)[0]:
        # One read: the application may have forked, so the end may never come.
        answer = os.read(reader, ANSWER_LIMIT + 1)
    else:
        os.kill(pid, signal.SIGKILL)
        answer = f"={what} takes longer than {timeout:g} seconds".encode()
    os.close(reader)
    status = os.waitpid(pid, 0)[1]
    if answer:
        return answer[1:].decode(errors="ignore")
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return f"{what} crashed the process with {name}"
    return f"{what} ended the process with status {os.WEXITSTATUS(status)}"
