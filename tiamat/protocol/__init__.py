"""
What HTTP says: bytes ⇄ requests and responses, without I/O.

The parser pushes into the connection, the driver pulls requests out of it::

    connection.receive_data(data)          bytes came
    connection.receive_eof()               no more will come
    connection.requests                    begun by the peer, not yet taken
    connection.error                       what broke the protocol behind those
    Response(request)                      its answer
    response.start / data / end / interim  -> bytes: who calls them writes them

Nothing in here knows a socket, a clock, a file, a log or a setting.
"""
