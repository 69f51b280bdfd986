"""
A chat over WebSockets: what one client says all hear, whichever worker they are at.

    tiamat --workers 2 examples.servers.chat:app

It is an application of ASGI, and needs no worker script: messages between workers are
there for every kind of application.
"""

import asyncio

import tiamat

clients = set()


def hear(message):
    """Something was said, here or in another worker."""
    for queue in clients:
        queue.put_nowait(message.data)


async def app(scope, receive, send):
    """The application."""
    if scope["type"] == "lifespan":
        await live(receive, send)
    elif scope["type"] == "websocket":
        await chat(receive, send)
    else:
        await send({"type": "http.response.start", "status": 404})
        await send({"type": "http.response.body"})


async def live(receive, send):
    """Listen to the other workers as long as this one lives."""
    await receive()
    tiamat.current_worker().on_message(hear, topic="chat")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def chat(receive, send):
    """One client: it speaks, and it hears, until it goes."""
    await receive()
    await send({"type": "websocket.accept"})
    queue = asyncio.Queue()
    clients.add(queue)
    hearing = asyncio.create_task(pass_on(queue, send))
    try:
        while (event := await receive())["type"] == "websocket.receive":
            worker = tiamat.current_worker()
            while not worker.post(event["text"], topic="chat", to="all"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        clients.discard(queue)
        hearing.cancel()


async def pass_on(queue, send):
    """Send to one client what is said."""
    while True:
        await send({"type": "websocket.send", "text": await queue.get()})
