"""Who waits is woken, and who gives up leaves nothing behind."""

import asyncio

from tiamat.drivers.waiters import Waiters


def test_all_who_wait_are_woken() -> None:
    """Once; who waits again is another one."""

    async def main() -> int:
        loop = asyncio.get_running_loop()
        tasks = [asyncio.ensure_future(waiters.wait(loop)) for _ in range(2)]
        await asyncio.sleep(0)
        count = len(waiters)
        waiters.wake()
        waiters.wake()
        await asyncio.gather(*tasks)
        return count

    waiters = Waiters()

    assert 2 == asyncio.run(main())
    assert not waiters


def test_who_is_cancelled_leaves_nothing() -> None:
    """Also if it is woken in the same turn of the loop."""

    async def main() -> None:
        task = asyncio.ensure_future(waiters.wait(asyncio.get_running_loop()))
        await asyncio.sleep(0)
        assert 1 == len(waiters)
        task.cancel()
        waiters.wake()
        await asyncio.wait([task])
        assert task.cancelled()

    waiters = Waiters()
    asyncio.run(main())

    assert not waiters
