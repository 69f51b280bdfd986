"""
What a client sends comes back, line by line.

    tiamat -s examples/servers/echo.py -b 127.0.0.1:7000 --workers 2
"""

import asyncio


async def run(config):
    """A coroutine function for each connection; who stays is told of the end."""
    leaving = asyncio.Event()
    config.on_stop(leaving.set)

    async def handler(reader, writer):
        ended = asyncio.ensure_future(leaving.wait())
        try:
            while not leaving.is_set():
                line = asyncio.ensure_future(reader.readline())
                await asyncio.wait((line, ended), return_when="FIRST_COMPLETED")
                if not line.done():
                    line.cancel()
                    break
                if not line.result():
                    return
                writer.write(line.result())
                await writer.drain()
            writer.write(b"the server leaves, come again\n")
        finally:
            ended.cancel()
            writer.close()

    return handler
