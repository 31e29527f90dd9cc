"""Starts localstripe on the loopback, at a free port that is printed, and keeps nothing of its state on disk."""

import socket

from aiohttp import web
from localstripe.resources import store
from localstripe.server import app

# Its state would go to one file that all of the machine shares.
store.dump_to_disk = lambda: None
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
web.run_app(app, sock=listener, print=None)
