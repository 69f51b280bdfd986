"""``tiamatctl``: ask a running server, through its control socket."""

import argparse
import contextlib
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tiamat.master.answers import Parameter, parameters
from tiamat.master.commands import COMMANDS
from tiamat.system import private_socket
from tiamat.tables import status_lines

LIMIT: Final = 10.0
"""Seconds that a server may take to answer what it knows at once."""

FAILED: Final = 1
NOBODY: Final = 3
"""Exit status when no server answers, as of init scripts (LSB)."""

UNCLEAR: Final = 4
"""Exit status when we may not ask, or don't know whom."""

TOP: Final = "Watch the workers, until Ctrl-C."

MIGRATE: Final = (
    "Say what becomes of a site that gunicorn serves; status 0: nothing differs."
)


class CannotAsk(Exception):
    """No server can be asked; *status* is the command's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command; return its exit status.

    Args:
        argv: the arguments, without the command; by default the process's own.
    """
    options = parser().parse_args(argv)
    arguments = {
        name: value
        for name, value in vars(options).items()
        if name not in ("command", "socket", "json")
    }
    if options.command == "migrate":
        return migrate(options.what, as_json=options.json)
    try:
        path = options.socket or find(os.environ)
        if options.command == "top":
            return top(path, **arguments)
        answer = ask(path, options.command, arguments)
        if options.command == "metrics" and not (options.json or answer["status"]):
            answer["text"] = exposition(answer["data"])
    except CannotAsk as error:
        print(f"tiamatctl: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return 130  # as a shell says of who was ended by Ctrl-C
    return tell(options.command, answer, as_json=options.json)


# --- The command line -------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """The commands of the table, with their docstrings for help."""
    made = argparse.ArgumentParser(
        "tiamatctl", description="Ask a running Tiamat, or tell it what to do."
    )
    add_options(made, socket=None, json=False)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        summary = (command.__doc__ or "").strip().partition("\n")[0]
        one = commands.add_parser(name, help=summary, description=summary)
        # A default would undo what stands before the command.
        add_options(one, socket=argparse.SUPPRESS, json=argparse.SUPPRESS)
        for parameter in parameters(command):
            add_parameter(one, parameter)
    watch = commands.add_parser("top", help=TOP, description=TOP)
    add_options(watch, socket=argparse.SUPPRESS, json=argparse.SUPPRESS)
    watch.add_argument(
        "--interval",
        type=interval,
        default=1.0,
        metavar="SECONDS",
        help="how often to look (default: 1)",
    )
    move = commands.add_parser("migrate", help=MIGRATE, description=MIGRATE)
    move.add_argument(
        "what",
        nargs=argparse.REMAINDER,
        metavar="FILE|COMMAND …",
        help="gunicorn.conf.py, a unit file, a Procfile, a Dockerfile, or the command",
    )
    add_options(move, socket=argparse.SUPPRESS, json=argparse.SUPPRESS)
    return made


def migrate(what: Sequence[str], *, as_json: bool) -> int:
    """Tell what becomes of a site of gunicorn's; nobody is asked."""
    from tiamat import migrate  # the settings, which who asks a server needs not
    from tiamat.errors import ConfigError

    try:
        status, lines = migrate.migrate(what or ["gunicorn.conf.py"])
    except ConfigError as error:
        print(f"tiamatctl: {error}", file=sys.stderr)
        return 2
    answer = {"status": 0, "text": migrate.text(status, lines)}
    if as_json:
        answer["data"] = migrate.data(lines)
    return tell("migrate", answer, as_json=as_json) or status


def add_options(
    to: argparse.ArgumentParser, socket: str | None, json: bool | str
) -> None:
    """What may stand before the command and after it, with these defaults."""
    to.add_argument(
        "--socket",
        metavar="PATH",
        default=socket,
        help="its control socket (default: look for it)",
    )
    to.add_argument(
        "--json", action="store_true", default=json, help="print data for programs"
    )


def add_parameter(to: argparse.ArgumentParser, parameter: Parameter) -> None:
    """What a command of the table takes."""
    if parameter.flag:
        to.add_argument(f"--{parameter.name}", action="store_true", help=parameter.help)
    else:
        to.add_argument(
            parameter.name,
            type=number_or_name if parameter.text else int,
            metavar=parameter.name.upper() + "|NAME" * parameter.text,
            help=parameter.help,
        )


def number_or_name(text: str) -> int | str:
    """A number if it is one."""
    return int(text) if text.isdecimal() else text


def interval(text: str) -> float:
    """
    A length of time that is worth a look.

    Raises:
        ValueError: it is none.
    """
    seconds = float(text)
    if not 0.1 <= seconds <= 3600:
        raise ValueError(text)
    return seconds


def exposition(figures: Mapping[str, Any]) -> str:
    """Figures as Prometheus reads them, which needs a package more."""
    try:
        from tiamat.observe.metrics import exposed
    except ModuleNotFoundError as error:
        name = error.name or ""
        raise CannotAsk(
            FAILED, f"metrics needs {name}: pip install 'tiamat-server[metrics]'"
        ) from None
    return exposed(figures)[0].decode().rstrip()


def top(path: str, interval: float) -> int:
    """The live view, which needs a package more."""
    try:
        from tiamat.top import watch
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        raise CannotAsk(
            FAILED, f"top needs {name}: pip install 'tiamat-server[top]'"
        ) from None
    return watch(lambda: ask(path, "status", {}), interval)


# --- The server ---------------------------------------------------------------------


def find(environ: Mapping[str, str]) -> str:
    """
    The control socket of the one server that there is.

    Raises:
        CannotAsk: there is none, or there are several.
    """
    paths = private_socket.found(environ)
    alive = [path for path in paths if answers(path)] if len(paths) > 1 else paths
    if len(alive) == 1:
        return alive[0]
    if alive:
        raise CannotAsk(
            UNCLEAR,
            "several servers are running; choose one with --socket:\n  "
            + "\n  ".join(alive),
        )
    if paths:
        raise CannotAsk(NOBODY, f"nobody answers at {', '.join(paths)}")
    places = ", ".join(private_socket.usual_patterns(environ))
    raise CannotAsk(
        NOBODY,
        f"no control socket at {places}; does the server run, with control_socket set?"
        " If it is elsewhere, give --socket PATH",
    )


def answers(path: str) -> bool:
    """Whether a server listens there that may be asked by us."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(LIMIT)
        try:
            sock.connect(path)
        except OSError:
            return False
    return True


def ask(path: str, command: str, arguments: Mapping[str, object]) -> dict[str, Any]:
    """
    Send a command, and wait for what comes back: status, text, data.

    Raises:
        CannotAsk: nobody answers.
    """
    request = {"command": command, "arguments": arguments}
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(LIMIT)
        try:
            sock.connect(path)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            why = "there is no such file"
            if isinstance(error, ConnectionRefusedError):
                why = "the server that was there is gone"
            raise CannotAsk(NOBODY, f"no server at {path}: {why}") from None
        except PermissionError:
            raise CannotAsk(
                UNCLEAR,
                f"not allowed to ask at {path}; root and the user of the server are",
            ) from None
        except OSError as error:
            raise CannotAsk(NOBODY, f"no server at {path}: {error}") from None
        with contextlib.suppress(ConnectionError):  # it refuses us, and says why
            sock.sendall(json.dumps(request).encode() + b"\n")
        if arguments.get("wait"):
            sock.settimeout(None)
        return read_answer(sock, path)


def read_answer(sock: socket.socket, path: str) -> dict[str, Any]:
    """One line of JSON, to its end."""
    received = bytearray()
    try:
        while not received.endswith(b"\n") and (data := sock.recv(65536)):
            received += data
        answer: dict[str, Any] = json.loads(received)
        return {"status": int(answer["status"]), **answer}
    except TimeoutError:
        why = f"it does not answer within {LIMIT:g} s"
    except ConnectionError:
        why = "it hung up"
    except (ValueError, TypeError, KeyError):
        why = "it speaks another language" if received else "it hung up"
    raise CannotAsk(NOBODY, f"no answer from the server at {path}: {why}")


# --- What is printed ----------------------------------------------------------------


def tell(command: str, answer: Mapping[str, Any], *, as_json: bool) -> int:
    """Print an answer; return the exit status."""
    status: int = answer["status"]
    try:
        if as_json:
            print(json.dumps(answer, indent=2), flush=True)
        elif command == "status" and not status:
            print("\n".join(status_lines(answer["data"])), flush=True)
        elif status:
            print(f"tiamatctl: {answer['text']}", file=sys.stderr)
        else:
            print(answer["text"], flush=True)
    except BrokenPipeError:  # `… | head`: enough was read
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
