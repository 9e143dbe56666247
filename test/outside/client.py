"""An unmodified Python websockets client against a Wireroom server: python3 client.py URL"""

import asyncio
import json
import sys

import websockets

URL = sys.argv[1]


class Client:
    def __init__(self, socket):
        self.socket = socket

    async def send(self, **envelope):
        await self.socket.send(json.dumps(envelope))

    async def next(self, kind):
        envelope = json.loads(await asyncio.wait_for(self.socket.recv(), 20))
        assert envelope["type"] == kind, envelope
        return envelope


async def main():
    async with websockets.connect(URL + "?name=Ann") as a, websockets.connect(URL) as b:
        ann, ben = Client(a), Client(b)
        welcome = await ann.next("welcome")
        await ben.next("welcome")
        for client in (ann, ben):
            await client.send(type="join", room="outside-py", id=1)
            assert (await client.next("ok"))["count"] == 0

        await ann.send(type="publish", room="outside-py", data={"text": "häi"}, echo=False, id=2)
        ok = await ann.next("ok")
        message = await ben.next("message")
        assert message["data"] == {"text": "häi"}
        assert message["from"]["user"] == welcome["user"]
        assert message["pos"] == ok["pos"]

        # A private message.
        await ben.send(type="publish", room=welcome["inbox"], data="psst", id=4)
        await ben.next("ok")
        await ann.send(type="join", room=welcome["inbox"], last=10, id=3)
        assert (await ann.next("ok"))["count"] == 1
        assert (await ann.next("message"))["data"] == "psst"

        # Protocol pings are answered, with their payload; frames that are no JSON get an error, and no more than that.
        await (await a.ping(b"there?"))
        await a.send("not json")
        assert (await ann.next("error"))["code"] == "bad_request"
        await ann.send(type="ping", ts=1)
        assert (await ann.next("pong"))["ts"] == 1
        return message["pos"]


async def recover(since):
    # The default of the library: permessage-deflate offered, closes with 1000.
    async with websockets.connect(URL, compression="deflate") as socket:
        client = Client(socket)
        await client.next("welcome")
        await client.send(type="join", room="outside-py", since=since, id=1)
        reply = await client.next("ok")
        assert reply["recovered"] is True and reply["count"] == 0, reply
    assert socket.close_code == 1000, socket.close_code


asyncio.run(recover(asyncio.run(main())))
print("python websockets: passed")
