"""Clients that go away, in whatever state."""

import asyncio
import fcntl
import os

from attack import BEGUN, LOST, Attack
from line import Line, crowd
from peer import JSON
from wire import put, request

DRAIN = '{"mode":"drain"}'
WHILE = 0.02           # seconds until the client goes: the server shall be at it
PIPE_BYTES = 4096


def lines(server, *fields):
    """The header of an upload that comes by lines, in chunks."""
    return request(server, "POST", "/v1/batches?type=sleep", "Content-Type: application/x-ndjson",
                   "Transfer-Encoding: chunked", *fields).encode()


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def drain(server, batch, *fields):
    return put(server, batch, JSON, f"Content-Length: {len(DRAIN)}", *fields, body=DRAIN)


class Reset(Attack):
    """Connections that send `text`, and are reset a little later."""
    connections = 50
    needed = 200
    per_second = 500
    awaits_answer = False    # whether the reset comes once the server has begun to answer

    async def go(self, server, told):
        text = self.text(server).encode()

        async def play():
            with await Line.to(server, receive_bytes=16_384) as line:
                await line.send(text)
                if self.awaits_answer:
                    await line.receive()
                await asyncio.sleep(WHILE)
                line.reset()
                told.add(BEGUN)

        await crowd(told, self.connections, play, self.per_second)


class ResetReadingHeader(Reset):
    """RST in the middle of a header."""
    name = "reset, reading a header"

    def text(self, server):
        return request(server, "GET", "/v1/batches", "X-Half: ")[:-4]


class ResetReadingBody(Reset):
    """RST in the middle of the body of a new batch."""
    name = "reset, reading a body"

    def text(self, server):
        return request(server, "POST", "/v1/batches", JSON, "Content-Length: 1000000",
                       body='{"type":"sleep","inputs":[' + "0," * 1_000)


class ResetWorking(Reset):
    """RST while the server looks for a page far behind in a batch that is open."""
    name = "reset, working"
    per_second = 200

    def prepare(self, peer):
        self.batch = peer.all_but_ended(20_000)

    def text(self, server):
        return request(server, "GET", f"/v1/batches/{self.batch}/results?page=20000&page_size=1")


class ResetWaiting(Reset):
    """RST while a cancel waits for a drain that goes on."""
    name = "reset, waiting"
    per_second = 300

    def begin(self, peer):
        self.batch = peer.sleeping()

    def text(self, server):
        return drain(server, self.batch)

    def finish(self, peer):
        peer.end(self.batch)


class ResetWriting(Reset):
    """RST in the middle of a long answer."""
    name = "reset, writing"
    awaits_answer = True

    def prepare(self, peer):
        self.batch = peer.ended(20_000)

    def text(self, server):
        return request(server, "GET", f"/v1/batches/{self.batch}/results",
                       "Accept: application/x-ndjson")


class HalfClosed(Attack):
    """Clients that end their sending half once they have asked, and want their answer."""
    name = "half-closed"
    connections = 50
    needed = 100

    def begin(self, peer):
        self.batch = peer.sleeping()

    async def go(self, server, told):
        texts = [request(server, "GET", f"/v1/batches/{self.batch}/state").encode(),
                 drain(server, self.batch, "Prefer: wait=1").encode()]

        async def play():
            with await Line.to(server) as line:
                await line.send(texts[told[BEGUN] % 2])
                line.half_close()
                told.add(BEGUN)
                told.add(await line.answer())

        await crowd(told, self.connections, play)

    def has_shown(self, told):
        return told[200] >= 20 and told[202] >= 20

    def faults(self, told):
        yield from told.unexpected(200, 202)
        if told[LOST]:
            yield f"{told[LOST]} clients that closed their sending half were not answered"

    def release(self, peer):
        peer.end(self.batch)


class DrainsLeft(Attack):
    """1,024 cancels that wait for a drain, each connection closed at once."""
    name = "drains that were left"
    connections = needed = 1_024

    def begin(self, peer):
        self.batch = peer.sleeping()

    async def go(self, server, told):
        text = drain(server, self.batch).encode()

        async def play():
            with await Line.to(server) as line:
                await line.send(text)
                told.add(BEGUN)

        await crowd(told, self.connections, play, per_second=100)

    def release(self, peer):
        """A FIN may come from a client that still reads: such connections may stay until the end of
        the batch."""
        peer.end(self.batch)


class AbortedUploads(Attack):
    """Uploads by lines that are broken off with RST, 1,000 a second."""
    name = "aborted uploads"
    connections = 100
    needed = 200

    async def go(self, server, told):
        text = lines(server) + chunk(b"86400000\n" * (1_800 if self.is_full else 100))

        async def play():
            with await Line.to(server) as line:
                await line.send(text)
                line.reset()
                told.add(BEGUN)

        await crowd(told, self.connections, play, per_second=1_000)

    def has_shown(self, told):
        return told[BEGUN] >= 500


class AbortedUploadsOnDisk(AbortedUploads):
    """The same, with batches that are kept on disk."""
    name = "aborted uploads, on disk"
    on_disk = True


class Expectations(Attack):
    """`Expect: 100-continue`, without a key, and then RST, 1,000 times a second."""
    name = "expectations"
    connections = 50
    needed = 200

    async def go(self, server, told):
        texts = [request(server, method, path, "Expect: 100-continue", "Content-Length: 10",
                         key=False).encode()
                 for method, path in (("GET", "/healthz"), ("POST", "/v1/batches"))]

        async def play():
            with await Line.to(server) as line:
                await line.send(texts[told[BEGUN] % 2])
                line.reset()
                told.add(BEGUN)

        await crowd(told, self.connections, play, per_second=1_000)

    def has_shown(self, told):
        return told[BEGUN] >= 500


class ExpectationsUnread(Expectations):
    """The same, and nobody reads the pipe that is the server's standard error."""
    name = "expectations, an unread log"

    def how(self):
        self.read_end, self.write_end = os.pipe()
        fcntl.fcntl(self.write_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return {"stderr": self.write_end}

    def close(self):
        os.close(self.read_end)
        os.close(self.write_end)


ROWS = (ResetReadingHeader, ResetReadingBody, ResetWorking, ResetWaiting, ResetWriting, HalfClosed,
        DrainsLeft, AbortedUploads, AbortedUploadsOnDisk, Expectations, ExpectationsUnread)
