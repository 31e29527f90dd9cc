"""What the Stripe CLI's `listen` talks to at Stripe, on the loopback, at a free port that is printed.

stripe_cli_backend.py SECRET

POST /v1/stripecli/sessions  opens a session, whose signing secret is SECRET
GET  /socket                 the session's websocket: events to the CLI, its acknowledgements back
POST /deliver                sends the body as an event, with the Stripe-Signature header of the request, to the CLI
"""

import base64
import hashlib
import http.server
import json
import struct
import sys
import threading

SECRET = sys.argv[1]
CLI_WAIT_MAX_S = 30
# What RFC 6455 adds to a client's key.
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Socket:
    """The server's side of a websocket, after the handshake."""

    def __init__(self, read, write):
        self.read, self.write = read, write
        self.lock = threading.Lock()

    def send(self, kind, payload):
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | kind, size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x80 | kind, 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | kind, 127, size)
        with self.lock:
            self.write.write(head + payload)
            self.write.flush()

    def receive(self):
        """The next frame's kind and payload; a client's frames are masked."""
        first, size = self.exactly(2)
        size &= 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.exactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.exactly(8))
        mask = self.exactly(4)
        payload = bytes(it ^ mask[at % 4] for at, it in enumerate(self.exactly(size)))
        return first & 0x0F, payload

    def exactly(self, size):
        data = self.read.read(size)
        if len(data) < size:
            raise ConnectionError("the CLI hung up")
        return data


class Connected:
    """The CLI's websocket, once there is one."""

    def __init__(self):
        self.changed = threading.Condition()
        self.socket = None

    def put(self, socket):
        with self.changed:
            self.socket = socket
            self.changed.notify_all()

    def get(self):
        with self.changed:
            self.changed.wait_for(lambda: self.socket, CLI_WAIT_MAX_S)
            return self.socket


connected = Connected()


class Stripe(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/v1/stripecli/sessions"):
            self.answer(200, session(self.server.server_port))
        elif self.path == "/deliver":
            self.deliver(body)
        else:
            self.answer(404, {"error": {"message": "not here", "type": "invalid_request_error"}})

    def do_GET(self):
        if not self.path.startswith("/socket"):
            self.answer(404, {"error": {"message": "not here", "type": "invalid_request_error"}})
            return
        key = self.headers["Sec-WebSocket-Key"] + MAGIC
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.close_connection = True
        socket = Socket(self.rfile, self.wfile)
        connected.put(socket)
        kind = TEXT
        try:
            while kind != CLOSE:
                kind, payload = socket.receive()
                if kind == PING:
                    socket.send(PONG, payload)
        except ConnectionError:
            pass

    def deliver(self, body):
        socket = connected.get()
        if socket is None:
            self.answer(503, {"error": "no CLI is connected"})
            return
        socket.send(TEXT, json.dumps(message(body.decode(), self.headers["Stripe-Signature"])).encode())
        self.answer(200, {})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: standard output is for the port."""


def session(port):
    return {
        "secret": SECRET,
        "websocket_url": f"ws://127.0.0.1:{port}/socket",
        "websocket_id": "socket_1",
        "websocket_authorized_feature": "webhooks",
        "reconnect_delay": 3600,
        "default_version": "2025-01-27.acacia",
        "latest_version": "2025-01-27.acacia",
        "device_token": "device_1",
        "display_connect_filter_warning": False,
    }


def message(payload, signature):
    return {
        "type": "webhook_event",
        "endpoint": {"api_version": None},
        "event_payload": payload,
        "http_headers": {
            "Accept": "*/*; q=0.5, application/xml",
            "Cache-Control": "no-cache",
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature,
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        },
        "webhook_conversation_id": "conversation_1",
        "webhook_id": "webhook_1",
    }


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stripe)
print(server.server_port, flush=True)
server.serve_forever()
