"""What the workers of ``apps.posting`` hear."""

from conftest import Serve
from kinds import KINDS
from running import Server


def heard(server: Server, slot: int) -> list[str]:
    """What a worker has written down."""
    try:
        return (server.directory / f"heard-{slot}").read_text().splitlines()
    except FileNotFoundError:
        return []


def numbers(server: Server, slot: int) -> list[int]:
    """The numbers it heard, in their order."""
    lines = [line.split() for line in heard(server, slot)]
    return [int(number) for sender, number, *rest in lines if sender.isdigit()]


def hears(server: Server, slot: int, count: int) -> bool:
    """Whether a worker has heard so many numbers."""
    return len(numbers(server, slot)) >= count


def start(serve: Serve, kind: str, *flags: str) -> Server:
    """Two workers that hear, both of them ready."""
    app, *words = KINDS[kind]
    server = serve(f"apps.posting:{app}", "--workers=2", *words, *flags)
    server.wait_for_log("serves", 2)
    return server
