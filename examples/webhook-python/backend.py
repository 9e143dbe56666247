"""A back end for Wireroom's webhooks. WEBHOOK_SECRET=... python3 backend.py [PORT]"""
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["WEBHOOK_SECRET"].encode()


def answer(event):
    """What to say to an event: {} allows it."""
    kind = event["event"]
    if kind == "connect" and event.get("headers", {}).get("Cookie") == "session=ann":
        return {"user": "ann", "name": "Ann", "roles": ["staff"]}
    if kind == "join" and event["room"].startswith("staff/") and event["user"] != "ann":
        return {"allow": False, "message": "staff only"}
    if kind == "publish" and isinstance(event.get("data"), str):
        return {"data": event["data"].replace("darn", "****")}
    if kind == "call":
        return {"data": {"sum": sum(event["data"])}}
    print(kind, event.get("room") or event.get("user") or "", flush=True)
    return {}


class Backend(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        sent, signature = self.headers["Wireroom-Timestamp"], self.headers["Wireroom-Signature"]
        expected = "sha256=" + hmac.new(SECRET, f"{sent}.".encode() + body, hashlib.sha256).hexdigest()
        good = hmac.compare_digest(expected, signature or "") and abs(time.time() - int(sent)) < 300
        text = json.dumps(answer(json.loads(body)) if good else {}).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 9000), Backend)
print(f"http://127.0.0.1:{server.server_port}/", flush=True)
server.serve_forever()
