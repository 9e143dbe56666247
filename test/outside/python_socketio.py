"""Debian's python3-socketio, as it is, over each transport. Prints "passed" when everything was as it should be."""

import contextlib
import os
import socket
import sys
import threading
import traceback
from urllib.parse import urlsplit

import socketio

URL = sys.argv[1]


class Heard:
    """What a client heard of one event."""

    def __init__(self, client, event, namespace="/"):
        self.calls, self.changed = [], threading.Condition()
        client.on(event, self.hear, namespace=namespace)

    def hear(self, *args):
        with self.changed:
            self.calls.append(args)
            self.changed.notify()

    def next(self):
        with self.changed:
            assert self.changed.wait_for(lambda: self.calls, 20), "nothing came"
            return self.calls.pop(0)


class Link:
    """A way to the server that can be cut, until it is mended."""

    def __init__(self):
        self.open, self.whole, self.lock = [], True, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        server = urlsplit(URL)
        while True:
            near, _ = self.listener.accept()
            with self.lock:
                if not self.whole:
                    near.close()
                    continue
                far = socket.create_connection((server.hostname, server.port))
                self.open += [near, far]
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=pair, daemon=True).start()

    @staticmethod
    def pump(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def cut(self):
        with self.lock:
            cut, self.open, self.whole = self.open, [], False
        for end in cut:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self):
        with self.lock:
            self.whole = True


def come_back(transports):
    """Is cut off, comes back by itself, and has what it missed by its positions."""
    room, link = "-".join(["back", *transports]), Link()
    a = socketio.Client(reconnection_delay=0.05, reconnection_delay_max=0.05, randomization_factor=0)
    connected, disconnected, message = Heard(a, "connect"), Heard(a, "disconnect"), Heard(a, "message")
    a.connect(link.url, transports=transports)
    connected.next()
    position = a.call("join", {"room": room}, timeout=20)["pos"]
    other = socketio.Client(reconnection=False)
    other.connect(URL, transports=transports)
    for turn in range(3):
        link.cut()
        disconnected.next()
        assert other.call("publish", {"room": room, "data": turn}, timeout=20)["ok"]
        link.mend()
        connected.next()
        joined = a.call("join", {"room": room, "since": position}, timeout=20)
        assert joined["ok"] and joined["recovered"], joined
        missed = message.next()[0]
        assert missed["data"] == turn, missed
        position = missed["pos"]
    a.disconnect()
    other.disconnect()


def end(transports):
    """Is sent away, and comes back by itself, but for polling, where it takes that for a goodbye; is sent out, and stays
    away. This client shows no codes but those of errors."""
    b = socketio.Client(reconnection_delay=0.05, reconnection_delay_max=0.05, randomization_factor=0)
    connected, disconnected, error = Heard(b, "connect"), Heard(b, "disconnect"), Heard(b, "error")
    b.connect(URL, transports=transports)
    connected.next()
    for code, name in ((4508, "overloaded"), (4500, "internal")):
        b.emit("close me", code)
        assert error.next()[0]["code"] == name
        disconnected.next()
        if transports == ["polling"]:
            b.wait()
            b.connect(URL, transports=transports)
        connected.next()
    b.emit("close me", 4403)
    assert error.next()[0]["code"] == "forbidden"
    disconnected.next()
    b.wait()  # for as long as it is connected, or tries to be
    assert not b.connected and not connected.calls, "it came back"


def play(transports):
    room = "-".join(["lobby", *transports])
    a = socketio.Client(reconnection=False)
    welcome, message, echoed = Heard(a, "welcome"), Heard(a, "message"), Heard(a, "echoed")
    custom = Heard(a, "message", "/custom")
    a.connect(URL, transports=transports, namespaces=["/", "/custom"], auth={"name": "Ann"})
    assert welcome.next()[0]["client"] == a.get_sid(), "another client"
    assert a.transport() == transports[-1], a.transport()

    a.emit("echo", (1, {"deep": [b"\x00\xff"]}, "three"))
    assert echoed.next()[:3] == (1, {"deep": [b"\x00\xff"]}, "three")
    assert tuple(a.call("acknowledge", ("x", b"\x01"), timeout=20)) == ("x", b"\x01")
    a.on("question", lambda n: (n + 1, b"four"))
    assert tuple(a.call("ask me", 41, timeout=20)) == (42, 4)

    assert a.call("join", {"room": "custom/" + room}, timeout=20)["ok"]
    assert a.call("join", {"room": room}, namespace="/custom", timeout=20)["ok"]
    published = a.call("publish", {"room": room, "data": [1]}, namespace="/custom", timeout=20)
    first, second = message.next()[0], custom.next()[0]
    assert first["room"] == "custom/" + room and second["room"] == room
    assert first["data"] == second["data"] == [1] and first["pos"] == published["pos"]
    assert first["from"]["name"] == second["from"]["name"] == "Ann", first
    assert a.call("history", {"room": room}, namespace="/custom", timeout=20)["ok"]
    assert a.call("leave", {"room": "nowhere"}, timeout=20)["code"] == "not_joined"
    a.disconnect()

    refused = socketio.Client(reconnection=False)
    why = Heard(refused, "connect_error", "/custom")
    try:
        refused.connect(URL, transports=transports, namespaces=["/custom"], auth={"refuse": True})
        raise AssertionError("let in")
    except socketio.exceptions.ConnectionError:
        assert why.next()[0]["message"] == "not you"


try:
    for transports in (["polling"], ["websocket"], ["polling", "websocket"]):
        play(transports)
        come_back(transports)
        end(transports)
    print("passed", flush=True)
except BaseException:  # its threads would wait for more
    traceback.print_exc()
    os._exit(1)
os._exit(0)
