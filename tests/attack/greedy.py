"""Clients that ask for much."""

import tempfile

from attack import BEGUN, LOST, Attack
from checks import until
from gone import chunk, lines
from line import Line, both, crowd
from peer import JSON
from slow import Unread
from wire import put, request

MIB = 1024 * 1024


class Endless(Attack):
    """Connections that ask without end, and don't wait for the answers: each one of `texts`, by turns."""
    per_second = 200     # of those that begin again

    def texts(self, server):
        raise NotImplementedError

    async def go(self, server, told):
        texts = [text.encode() for text in self.texts(server)]

        async def play():
            with await Line.to(server) as line:
                told.add(BEGUN)
                await both(line.repeat(texts[told[BEGUN] % len(texts)]), line.swallow())

        await crowd(told, self.connections, play, self.per_second)


class Pipelining(Endless):
    """200 connections that ask for this and that."""
    name = "pipelining"
    connections = needed = 200

    def prepare(self, peer):
        self.batch = peer.sleeping()

    def texts(self, server):
        paths = ("/healthz", f"/v1/batches/{self.batch}", "/v1/batches?limit=10", "/v1/types")
        return ["".join(request(server, "GET", path) for path in paths * 25)]


class Keyless(Endless):
    """900 connections that ask without a key: for health, another host, a path of slashes, with
    headers of many fields."""
    name = "pipelining without a key"
    connections = needed = 900

    def texts(self, server):
        fields = [f"{number}:" for number in range(90)]
        return [request(server, "GET", path, *more, host=host, key=False) * 100
                for path, host, more in (("/healthz", "localhost", ()), ("/healthz", "a", ()),
                                         ("/" * 8_000, "localhost", ()),
                                         ("/healthz", "localhost", fields))]


class TooManyFields(Endless):
    """200 connections that send headers of 4,000 fields, and begin again when they are refused."""
    name = "headers of too many fields"
    connections = needed = 200
    per_second = 2_000

    def texts(self, server):
        return [request(server, "GET", "/healthz", *["a:"] * 4_000, key=False)]


class MoreThanThereMayBe(Endless):
    """Half as many connections again as there may be, that ask for health without a key."""
    name = "more than there may be"
    options = ("--connections-max", "400")
    connections = needed = 600
    per_second = 1_000

    def texts(self, server):
        return [request(server, "GET", "/healthz", key=False) * 100]


class PipelinedBodies(Endless):
    """200 connections that send cancels with deep JSON in them, in pieces of a byte."""
    name = "pipelined bodies"
    connections = needed = 200

    def prepare(self, peer):
        self.batch = peer.sleeping()

    def texts(self, server):
        deep = '{"reason":' + "[[[[[],[]],[]]]]," * 950
        pieces = "".join(f"1\r\n{character}\r\n" for character in deep[:4_000]) + "0\r\n\r\n"
        return [text * 10 for text in (
            put(server, self.batch, JSON, f"Content-Length: {len(deep)}", body=deep),
            put(server, self.batch, JSON, "Transfer-Encoding: chunked", body=pieces))]


class PipelinedCancels(Attack):
    """1,000 cancels of one batch at a time, sent on before the answers come, on 4 connections."""
    name = "pipelined cancels"
    connections = needed = 4
    at_once = 1_000

    def prepare(self, peer):
        self.batch = peer.ended(10)

    async def go(self, server, told):
        text = put(server, self.batch).encode() * self.at_once

        async def answers(line):
            for _ in range(self.at_once):
                told.add(await line.answer())

        async def play():
            with await Line.to(server) as line:
                while True:
                    told.add(BEGUN)
                    await both(line.send(text), answers(line))

        await crowd(told, self.connections, play)

    def has_shown(self, told):
        return told[200] >= self.at_once

    def faults(self, told):
        return told.unexpected(200)


class Flood(Attack):
    """New connections, 2,000 a second, that ask nothing or something and are reset or closed."""
    name = "flood of connections"
    connections = 50
    needed = 500

    async def go(self, server, told):
        text = request(server, "GET", "/healthz", key=False).encode()

        async def play():
            with await Line.to(server) as line:
                told.add(BEGUN)
                if told[BEGUN] % 4 < 2:
                    await line.send(text)
                if told[BEGUN] % 8:    # those that are closed keep a port for a while
                    line.reset()

        await crowd(told, self.connections, play, per_second=2_000)


class LargeInput(Attack):
    """2 clients that send a batch with one input of 8 MiB, `[0,0,…]`."""
    name = "large input"
    connections = needed = 2
    form = '{"type":"sleep","inputs":[[%s]]}'

    def has_shown(self, told):
        return told.statuses() or told[LOST]

    async def go(self, server, told):
        body = self.form % ("0," * (4 * MIB - 100) + "0")
        text = request(server, "POST", "/v1/batches", JSON, f"Content-Length: {len(body)}",
                       body=body).encode()

        async def play():
            with await Line.to(server) as line:
                told.add(BEGUN)
                await line.send(text)
                told.add(await line.answer())

        await crowd(told, self.connections, play)

    def faults(self, told):
        """It is refused for its size, or since there is no room for it just then."""
        yield from told.unexpected(400, 413, 503)
        if told[LOST]:
            yield f"{told[LOST]} connections were closed before the refusal was seen"


class LargeOptions(LargeInput):
    """2 clients that send a batch with options of 8 MiB."""
    name = "large options"
    form = '{"type":"sleep","inputs":[0],"options":{"weight":[%s]}}'


class FarPages(Attack):
    """100 clients that ask for the last page of a million, of a batch that is open."""
    name = "far pages"
    connections = needed = 100

    def prepare(self, peer):
        self.jobs = 1_000_000 if self.is_full else 20_000
        self.batch = peer.all_but_ended(self.jobs)

    async def go(self, server, told):
        page = f"results?page={self.jobs}&page_size=1"
        text = request(server, "GET", f"/v1/batches/{self.batch}/{page}").encode()

        async def play():
            with await Line.to(server) as line:
                while True:
                    await line.send(text)
                    told.add(BEGUN)
                    told.add(await line.answer())

        await crowd(told, self.connections, play)

    def faults(self, told):
        return told.unexpected(200, 503)


class LargeResults(Endless):
    """20 connections that ask for a result of 6 MiB, again and again."""
    name = "large results"
    connections = needed = 20
    jobs = 1
    on_disk = True

    def __init__(self, is_full):
        super().__init__(is_full)
        self.types = tempfile.NamedTemporaryFile("w", suffix=".toml")
        self.types.write('[type.zeros]\ncommand = ["head", "-c", "1048576", "/dev/zero"]\n'
                         'captured_bytes_max = 1048576\n')  # each byte is six in JSON
        self.types.flush()
        self.options = "--config", self.types.name

    def prepare(self, peer):
        self.batch = peer.must_create([{}] * self.jobs, type="zeros")
        until(lambda: peer.jobs(self.batch)["succeeded"] == self.jobs, f"the jobs of {self.batch}")

    def texts(self, server):
        return [request(server, "GET", f"/v1/batches/{self.batch}/jobs/0")]

    def close(self):
        self.types.close()


class LargeResultsEverywhere(LargeResults):
    """The same where there are only 16 places; half of the answers are of several pieces."""
    name = "large results in all places"
    connections = needed = 32
    jobs = 4
    is_measured = False  # it is that of more connections than there may be

    def __init__(self, is_full):
        super().__init__(is_full)
        self.options = *self.options, "--connections-max", "16"

    def texts(self, server):
        path = f"/v1/batches/{self.batch}"
        return [request(server, "GET", f"{path}/{what}") for what in ("jobs/0", "results")]


class UnreadLargeResults(Unread, LargeResults):
    """60 connections that ask for such a result and never read it."""
    name = "unread large results"
    connections = needed = 60

    def __init__(self, is_full):
        super().__init__(is_full)
        if not is_full:  # each has its turn still when the client is gone, and a debug build takes long for it
            self.connections = self.needed = 16

    def texts(self, server):
        return [text * 100 for text in super().texts(server)]


class LineUploads(Attack):
    """100 uploads by lines at a time, each of 1 MB, without end."""
    name = "uploads by lines"
    connections = needed = 100
    on_disk = True

    async def go(self, server, told):
        head = lines(server)
        piece = chunk(b"86400000\n" * (7_000 if self.is_full else 200))

        async def play():
            with await Line.to(server) as line:
                line.end_by_reset()
                await line.send(head)
                told.add(BEGUN)
                for _ in range(16):
                    await line.send(piece)
                await line.send(b"0\r\n\r\n")
                told.add(await line.answer())

        await crowd(told, self.connections, play)

    def faults(self, told):
        return told.unexpected(202, 503)


class WrongKeys(Attack):
    """20 clients without the right key, or without one, that ask again and again; the right key is
    sent from the same address."""
    name = "wrong keys"
    connections = needed = 20

    async def go(self, server, told):
        texts = [request(server, "GET", "/v1/batches", *fields, key=False).encode() * 10
                 for fields in ((), ("X-Api-Key: wrong",), ("Authorization: Bearer wrong",))]

        async def play():
            with await Line.to(server) as line:
                told.add(BEGUN)
                text = texts[told[BEGUN] % len(texts)]
                while True:
                    await line.send(text)
                    for _ in range(10):
                        told.add(await line.answer())

        await crowd(told, self.connections, play)

    def has_shown(self, told):
        """There is a limit, which may take a while to be met."""
        return told[429] or told[401] >= 5_000

    def faults(self, told):
        yield from told.unexpected(401, 429)
        if not told[429]:
            yield f"{told[401]} requests with a wrong key or none were 401, and none was 429"


ROWS = (Pipelining, Keyless, TooManyFields, MoreThanThereMayBe, PipelinedBodies, PipelinedCancels,
        Flood, LargeInput, LargeOptions, FarPages, LargeResults, LargeResultsEverywhere,
        UnreadLargeResults, LineUploads, WrongKeys)
