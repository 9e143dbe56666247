"""Debian's python3-socketio, as it is, over each transport. Prints "passed" when everything was as it should be."""

import sys
import threading

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


def play(transports):
    room = "-".join(["lobby", *transports])
    a = socketio.Client(reconnection=False)
    welcome, message, echoed = Heard(a, "welcome"), Heard(a, "message"), Heard(a, "echoed")
    custom = Heard(a, "message", "/custom")
    a.connect(URL, transports=transports, namespaces=["/", "/custom"], auth={"name": "Ann"})
    assert welcome.next()[0]["client"] == a.get_sid(), "another client"

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
    assert a.call("history", {"room": room}, namespace="/custom", timeout=20)["ok"]
    assert a.call("leave", {"room": "nowhere"}, timeout=20)["code"] == "not_joined"
    a.disconnect()

    gone = threading.Event()
    b = socketio.Client(reconnection=False)
    b.on("disconnect", lambda *_: gone.set())
    b.connect(URL, transports=transports)
    b.emit("close me", 4403)
    assert gone.wait(20), "not disconnected"
    b.disconnect()

    refused = socketio.Client(reconnection=False)
    why = Heard(refused, "connect_error", "/custom")
    try:
        refused.connect(URL, transports=transports, namespaces=["/custom"], auth={"refuse": True})
        raise AssertionError("let in")
    except socketio.exceptions.ConnectionError:
        assert why.next()[0]["message"] == "not you"


for transports in (["polling"], ["websocket"], ["polling", "websocket"]):
    play(transports)
print("passed")
