"""Clients that are idle, or slow."""

import resource

from attack import BEGUN, LOST, Attack
from line import Line, both, crowd
from peer import JSON
from wire import put, request

DRIP_SECONDS = 0.25


class Slow(Attack):
    """Connections that each send something and then go on as `after` says."""
    connections = 400
    per_second = 200

    @property
    def needed(self):
        return self.connections

    def text(self, server):
        return ""

    async def after(self, line):
        await line.swallow()

    async def go(self, server, told):
        text = self.text(server).encode()

        async def play():
            with await Line.to(server) as line:
                await line.send(text)
                told.add(BEGUN)
                await self.after(line)

        await crowd(told, self.connections, play, self.per_second)


class IdleConnections(Slow):
    """2,000 connections on which nothing is sent."""
    name = "idle connections"
    connections = 2_000
    per_second = 50


class FewDescriptors(Slow):
    """400 connections on which nothing is sent, to a server that may have 200 descriptors."""
    name = "few descriptors"
    per_second = 100

    def how(self):
        return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))}


class SlowHeaders(Slow):
    """400 headers that come by the byte."""
    name = "slow headers"

    def text(self, server):
        return request(server, "GET", "/v1/batches", "X-Slow: ")[:-4]

    async def after(self, line):
        await line.drip(b"a", DRIP_SECONDS)


class SlowBodies(Slow):
    """600 cancels with a large body, the end of which comes by and by."""
    name = "slow bodies"
    connections = 600

    def prepare(self, peer):
        self.batch = peer.sleeping()

    def text(self, server):
        return put(server, self.batch, JSON, "Content-Length: 16384",
                   body='{"reason":"' + "because " * 1_900)

    async def after(self, line):
        await line.drip(b"because ", DRIP_SECONDS)


class DrippedUploads(Slow):
    """400 new batches whose body comes by and by."""
    name = "dripped uploads"

    def text(self, server):
        return request(server, "POST", "/v1/batches", JSON, "Content-Length: 1000000",
                       body='{"type":"sleep","inputs":[0')

    async def after(self, line):
        await both(line.drip(b",0,0,0", DRIP_SECONDS), line.swallow())


class LargeOptionsHeld(DrippedUploads):
    """400 new batches with options that would be a large tree, whose inputs come by and by."""
    name = "large options, dripped"

    def text(self, server):
        options = '"options":{"x":[' + "[0]," * (15_000 if self.is_full else 5_000) + "0]}"
        return request(server, "POST", "/v1/batches", JSON, "Content-Length: 1000000",
                       body="{" + options + ',"type":"sleep","inputs":[0')


class BodiesThatDontCome(Slow):
    """256 times GET /healthz, without a key, with a body that is said and never sent."""
    name = "bodies that don't come"
    connections = 256

    def text(self, server):
        return request(server, "GET", "/healthz", "Content-Length: 60000", key=False)


class LargeHeadersHeld(BodiesThatDontCome):
    """900 times the same, behind a large header."""
    name = "large headers, bodies that don't come"
    connections = 900

    def text(self, server):
        fields = [f"X-{number}: {'a' * 140}" for number in range(95)]
        return request(server, "GET", "/healthz", *fields, "Content-Length: 60000", key=False)


class EmptyLines(Slow):
    """50 connections that send empty lines in place of a request, without end."""
    name = "empty lines"
    connections = 50
    per_second = 100

    async def after(self, line):
        await line.repeat(b"\r\n" * 32_768)


class EmptyLinesNowAndThen(Slow):
    """50 connections that send an empty line now and then: they are idle, and have to go."""
    name = "empty lines now and then"
    connections = 50
    options = ("--idle-time-max", "1", "--header-time-max", "1")
    is_measured = False

    async def after(self, line):
        await both(line.drip(b"\r\n", DRIP_SECONDS), line.swallow())

    def has_shown(self, told):
        return told[LOST] >= self.connections


class Unread(Attack):
    """Connections that ask without end, each one of `texts`, by turns, and never read an answer."""

    async def go(self, server, told):
        texts = [text.encode() for text in self.texts(server)]

        async def play():
            with await Line.to(server, receive_bytes=4096) as line:
                told.add(BEGUN)
                await line.repeat(texts[told[BEGUN] % len(texts)])

        await crowd(told, self.connections, play)


class SlowReaders(Unread):
    """100 clients that ask for long answers, again and again, and never read them."""
    name = "slow readers"
    connections = needed = 100

    def prepare(self, peer):
        self.batch = peer.ended(20_000)

    def texts(self, server):
        path = f"/v1/batches/{self.batch}"
        lines = request(server, "GET", f"{path}/results", "Accept: application/x-ndjson")
        details = request(server, "GET", f"{path}?include_job_details=true")
        pages = request(server, "GET", f"{path}/jobs?limit=1000") * 50
        return [lines * 10, details * 10, pages]


class UnreadResults(Unread):
    """A job whose input, and the message about it, is as long as may be; it is asked for on 60
    connections and never read."""
    name = "unread results"
    connections = needed = 60
    longest, short = 8 * 1024 * 1024 - 1000, 60_000

    def prepare(self, peer):
        """One input may have as many bytes as a line, also where it is JSON."""
        self.was_taken = self.try_path(peer, self.longest)
        self.batch = self.was_taken or self.try_path(peer, self.short)

    @staticmethod
    def try_path(peer, size):
        """The batch; None if it was refused."""
        body = '{"type":"checksum","inputs":["%s"]}' % ("a" * size)
        answer = peer.ask(request(peer.server, "POST", "/v1/batches", JSON,
                                  f"Content-Length: {len(body)}", body=body))
        if answer.status == 202:
            return answer.data["batch_id"]
        answer.is_(400)
        return None

    def texts(self, server):
        return [request(server, "GET", f"/v1/batches/{self.batch}/jobs/0") * 100]

    def faults(self, _told):
        if self.was_taken:
            yield f"an input of {self.longest} bytes was taken"


ROWS = (IdleConnections, FewDescriptors, SlowHeaders, SlowBodies, DrippedUploads,
        LargeOptionsHeld, BodiesThatDontCome, LargeHeadersHeld, EmptyLines, EmptyLinesNowAndThen,
        SlowReaders, UnreadResults)
