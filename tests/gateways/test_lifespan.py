"""Startup and shutdown of ASGI applications, on real event loops."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from tiamat.errors import StartupError
from tiamat.gateways.lifespan import Lifespan

LIMIT = 45.0

LOG = logging.getLogger("tests.lifespan")

STARTED = {"type": "lifespan.startup.complete"}
STOPPED = {"type": "lifespan.shutdown.complete"}

seen: ContextVar[int] = ContextVar("seen", default=0)


def live(
    app: Any,
    mode: str = "auto",
    between: Callable[[], Awaitable[None]] | None = None,
    limit: float = LIMIT,
    stopping: bool = False,
) -> Lifespan:
    """Start up, do something, shut down."""

    async def main() -> Lifespan:
        lifespan = Lifespan(app, mode, LOG, stopping=lambda: stopping)
        await lifespan.startup()
        if between is not None:
            await between()
        await lifespan.shutdown(limit)
        return lifespan

    return asyncio.run(main())


async def unaware(scope: Any, receive: Any, send: Any) -> None:
    """Knows no lifespan, and says so, as Django's does."""
    raise ValueError(f"can only handle http, not {scope['type']}")


async def careless(scope: Any, receive: Any, send: Any) -> None:
    """Asks for no type, and answers everything."""
    await send({"type": "http.response.start", "status": 200})


async def uninterested(scope: Any, receive: Any, send: Any) -> None:
    """Returns for all that is not HTTP."""


async def failing(scope: Any, receive: Any, send: Any) -> None:
    """Says that it can't start, and why."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def breaking(scope: Any, receive: Any, send: Any) -> None:
    """Fails without an answer."""
    await receive()
    raise LookupError("no registry")


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """Hears that it shall start, and returns."""
    await receive()


async def leaving(scope: Any, receive: Any, send: Any) -> None:
    """Ends the process, it thinks."""
    await receive()
    raise SystemExit(3)


def connect() -> None:
    """What a lifespan would do, and can't."""
    raise ConnectionError("no database")


async def good(scope: Any, receive: Any, send: Any) -> None:
    """Does all by the letter."""
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.0"}
    assert {"type": "lifespan.startup"} == await receive()
    scope["state"]["pool"] = "a pool"
    await send(STARTED)
    assert {"type": "lifespan.shutdown"} == await receive()
    scope["state"]["pool"] = "closed"
    await send(STOPPED)


# --- Startup ------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_what_the_application_leaves_is_the_state(mode: str) -> None:
    """One dictionary, from the startup on to the shutdown."""
    during = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await good(scope, receive, send)

    async def main() -> None:
        lifespan = Lifespan(app, mode, LOG)
        await lifespan.startup()
        assert lifespan.state is not None
        during.append(dict(lifespan.state))
        await lifespan.shutdown(LIMIT)
        during.append(lifespan.state)

    asyncio.run(main())

    assert [{"pool": "a pool"}, {"pool": "closed"}] == during


@pytest.mark.parametrize("app", [unaware, careless, uninterested])
def test_auto_forgives_who_knows_no_lifespan(
    app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever raises or returns before anything was received; the log says why."""
    caplog.set_level(logging.DEBUG)
    lifespan = live(app)

    assert lifespan.state is None
    [line] = [one for one in caplog.messages if "has no lifespan" in one]
    assert "the application has no lifespan: " in line


@pytest.mark.parametrize(
    ("app", "mode", "words"),
    [
        (unaware, "on", "ValueError: can only handle http, not lifespan ("),
        (careless, "on", "'http.response.start' sent to the lifespan, which expects"),
        (uninterested, "on", "it returned and did not say whether it has started"),
        (failing, "auto", "the application's startup failed: no database"),
        (failing, "on", "the application's startup failed: no database"),
        (breaking, "auto", "LookupError: no registry ("),
        (breaking, "on", "LookupError: no registry ("),
        (silent, "auto", "if it knows no lifespan, set asgi_lifespan = off"),
        (leaving, "auto", "it called sys.exit(3) ("),
    ],
)
def test_a_startup_that_fails_is_a_boot_that_fails(
    app: Any, mode: str, words: str
) -> None:
    """Status 3, in the words of the application."""
    with pytest.raises(StartupError) as caught:
        live(app, mode)

    assert words in str(caught.value)
    assert 3 == caught.value.exit_status


def test_the_cause_is_the_application_s_own_exception() -> None:
    """Its traceback begins in the user's code, not in ours."""
    with pytest.raises(StartupError) as caught:
        live(breaking)

    cause = caught.value.__cause__
    assert isinstance(cause, LookupError)
    assert cause.__traceback__ is not None
    assert "breaking" == cause.__traceback__.tb_frame.f_code.co_name


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_a_framework_s_traceback_becomes_one_line_and_a_cause(mode: str) -> None:
    """Starlette sends the whole traceback as its message, then raises."""
    from starlette.applications import Starlette

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        connect()
        yield

    with pytest.raises(StartupError) as caught:
        live(Starlette(lifespan=lifespan), mode)

    text = "the application's startup failed: ConnectionError: no database"
    assert text == str(caught.value)
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_a_long_message_without_an_exception_is_kept() -> None:
    """Its last line says what it is; the rest follows."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        message = "Traceback\n  line 1\nKeyError: 'x'\n"
        await send({"type": "lifespan.startup.failed", "message": message})

    with pytest.raises(StartupError) as caught:
        live(app)

    first, _, rest = str(caught.value).partition("\n")
    assert "the application's startup failed: KeyError: 'x'" == first
    assert "Traceback\n  line 1\nKeyError: 'x'" == rest


def test_off_does_not_call_the_application() -> None:
    """There is nothing to call here."""
    assert live(None, "off").state is None


def test_a_signal_s_exit_is_not_the_application_s(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The worker was told to go while its application started up; that is no news."""
    with pytest.raises(SystemExit):
        live(leaving, stopping=True)
    gc.collect()

    assert [] == caplog.messages


def test_context_variables_stay_in_the_lifespan() -> None:
    """Requests have contexts of their own."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.set(1)
        await good(scope, receive, send)

    async def between() -> None:
        assert seen.get() == 0

    live(app, between=between)


# --- Shutdown -----------------------------------------------------------------


def test_a_shutdown_that_takes_too_long_is_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The application is cancelled, so that it may clean up."""
    cleaned = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        await receive()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cleaned.append(True)

    live(app, limit=0.05)

    assert ["the application did not shut down within 0.05 s"] == caplog.messages
    assert [True] == cleaned


def test_a_shutdown_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With the application's reason."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "still in use"})

    live(app)

    assert ["the application's shutdown failed: still in use"] == caplog.messages


def test_a_shutdown_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With its traceback."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        await receive()
        raise LookupError("no pool")

    live(app)

    [record] = caplog.records
    assert "shutdown failed: LookupError: no pool (" in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


def test_who_ends_without_a_shutdown_hears_of_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Some return once they have started; that is no mistake."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)

    live(app, between=lambda: asyncio.sleep(0))

    assert [] == caplog.messages


def test_a_lifespan_that_breaks_meanwhile_is_logged_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What it kept going in the background is gone: somebody has to know."""
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        ended.set()
        raise LookupError("the task group failed")

    async def between() -> None:
        await ended.wait()
        await asyncio.sleep(0)

    live(app, between=between)

    [line] = caplog.messages
    assert "the application's lifespan ended before its time: LookupError: the" in line


def test_who_keeps_asking_does_not_keep_the_worker(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """There is nothing more to receive behind the shutdown."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})

    live(app)

    assert [] == [one for one in caplog.messages if "did not" in one]


def test_each_question_has_one_answer() -> None:
    """A second one is the application's mistake, and it hears of it."""
    heard = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        try:
            await send(STARTED)
        except RuntimeError as error:
            heard.append(str(error))
        await receive()
        await send(STOPPED)

    live(app)

    [text] = heard
    assert "'lifespan.startup.complete' sent to the lifespan, which was" in text


# --- Frameworks ---------------------------------------------------------------


def frameworks() -> dict[str, Any]:
    """An application of each that starts up and shuts down."""
    from fastapi import FastAPI
    from litestar import Litestar
    from quart import Quart
    from starlette.applications import Starlette

    @contextlib.asynccontextmanager
    async def with_state(app: Any) -> AsyncIterator[dict[str, Any]]:
        EVENTS.append("up")
        yield {"pool": 1}
        EVENTS.append("down")

    @contextlib.asynccontextmanager
    async def plain(app: Any) -> AsyncIterator[None]:
        EVENTS.append("up")
        yield
        EVENTS.append("down")

    async def up() -> None:
        EVENTS.append("up")

    async def down() -> None:
        EVENTS.append("down")

    quart = Quart("lifespan")
    quart.before_serving(up)
    quart.after_serving(down)
    return {
        "fastapi": FastAPI(lifespan=with_state),
        "starlette": Starlette(lifespan=with_state),
        "litestar": Litestar(lifespan=[plain]),
        "quart": quart,
    }


EVENTS: list[str] = []


@pytest.mark.parametrize("name", ["fastapi", "starlette", "litestar", "quart"])
def test_frameworks_start_up_and_shut_down(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each does both, once; those that share state by the scope do so."""
    app = frameworks()[name]
    EVENTS.clear()

    lifespan = live(app, "on")

    assert ["up", "down"] == EVENTS
    assert lifespan.state is not None
    if name in ("fastapi", "starlette"):
        assert {"pool": 1} == lifespan.state
    assert [] == [one for one in caplog.records if one.levelno >= logging.WARNING]
