"""Who waits on an asyncio loop for something to happen to a connection."""

import asyncio
from contextlib import suppress


class Waiters(list["asyncio.Future[None]"]):
    """A future for each who waits; who is not waited for costs nothing."""

    __slots__ = ()

    async def wait(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until something has happened."""
        waiter = loop.create_future()
        self.append(waiter)
        try:
            await waiter
        except BaseException:  # cancelled: who asks again and again leaves nothing
            self.forget(waiter)
            raise

    def forget(self, waiter: "asyncio.Future[None]") -> None:
        """Nobody waits with it any more."""
        with suppress(ValueError):
            self.remove(waiter)

    def wake(self) -> None:
        """Let all of them look again."""
        for waiter in self:
            if not waiter.done():
                waiter.set_result(None)
        self.clear()
