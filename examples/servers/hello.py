"""
Hello World, as the original Tiamat's README had it: a server of HTTP.

    tiamat -s examples/servers/hello.py
"""


def run(config):
    """What a worker serves: an application of WSGI is a server, too."""

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"Hello World\n"]

    return app
