"""
A few commands of Redis: PING, SET, GET, INCR, DEL. A worker keeps its own data.

    tiamat -s examples/servers/redis_server.py -b 127.0.0.1:6380
"""

import asyncio

data = {}


def bulk(value):
    """A value as the protocol has it; None is none."""
    return b"$-1\r\n" if value is None else b"$%d\r\n%b\r\n" % (len(value), value)


def ping(text=None):
    """Answer with the text, or with PONG."""
    return b"+PONG\r\n" if text is None else bulk(text)


def put(name, value):
    """Keep a value."""
    data[name] = value
    return b"+OK\r\n"


def increment(name):
    """Count."""
    data[name] = b"%d" % (int(data.get(name, b"0")) + 1)
    return b":%b\r\n" % data[name]


def delete(*names):
    """Forget values."""
    return b":%d\r\n" % sum(data.pop(name, None) is not None for name in names)


COMMANDS = {
    b"PING": ping,
    b"SET": put,
    b"GET": lambda name: bulk(data.get(name)),
    b"INCR": increment,
    b"DEL": delete,
}


def answer(words):
    """Do what a command says."""
    command = COMMANDS.get(words[0].upper())
    if command is None:
        return b"-ERR unknown command\r\n"
    try:
        return command(*words[1:])
    except (TypeError, ValueError):
        return b"-ERR wrong arguments\r\n"


async def words_of(reader):
    """The words of the next command, which is an array of strings or a line."""
    line = await reader.readuntil(b"\r\n")
    if not line.startswith(b"*"):
        return line.split()
    words = []
    for _ in range(int(line[1:])):
        size = int((await reader.readuntil(b"\r\n"))[1:])
        words.append((await reader.readexactly(size + 2))[:-2])
    return words


async def handler(reader, writer):
    """One connection."""
    try:
        while words := await words_of(reader):
            writer.write(answer(words))
            await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        pass  # it has gone, or speaks something else
    finally:
        writer.close()


def run(config):
    """The server."""
    return handler
