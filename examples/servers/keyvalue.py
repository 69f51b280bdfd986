"""
A store of lines: ``SET name value``, ``GET name``, ``DEL name``, ``QUIT``.

    tiamat -s examples/servers/keyvalue.py -b 127.0.0.1:7001 --workers 2

Each worker has a copy; what one is told the others hear by a message.
"""

import socketserver

store = {}


class Client(socketserver.StreamRequestHandler):
    """One connection, in a thread of its own."""

    def handle(self):
        for line in self.rfile:
            words = line.decode("utf-8", "replace").split(maxsplit=2)
            if words[:1] == ["QUIT"]:
                return
            self.wfile.write((self.answer(words) + "\n").encode())

    def answer(self, words):
        """What one line is answered with."""
        match words:
            case ["SET", name, value]:
                self.server.tell(name, value.strip())
                return "OK"
            case ["DEL", name]:
                self.server.tell(name, None)
                return "OK"
            case ["GET", name]:
                return store.get(name, "")
        return "ERROR write SET name value, GET name, DEL name or QUIT"


class Server(socketserver.ThreadingTCPServer):
    """A socketserver as any other, but that it does not bind."""

    daemon_threads = True

    def __init__(self, worker):
        super().__init__(("", 0), Client, bind_and_activate=False)
        self.worker = worker
        worker.on_message(self.hear)

    def tell(self, name, value):
        """Change a value in every worker, beginning with this one."""
        change(name, value)
        self.worker.post([name, value], to="all", patience=1.0)

    def hear(self, message):
        """Another worker has changed a value."""
        if message.sender != self.worker.slot:
            change(*message.data)


def change(name, value):
    """Keep a value; None is none."""
    if value is None:
        store.pop(name, None)
    else:
        store[name] = value


def run(config):
    """The server."""
    return Server(config.worker)
