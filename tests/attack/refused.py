"""Requests that are refused, or answered, so that the client and the next request see it."""

import asyncio
import http.client

from attack import BEGUN, LOST, Attack
from checks import DEADLINE, Failure, equal
from line import Line, both, crowd
from peer import JSON
from slow import DRIP_SECONDS, Slow
from wire import request, wire_to

MB = 1_000_000
JSON_FIELD = {"Content-Type": "application/json"}
LINES_FIELD = {"Content-Type": "application/x-ndjson"}
LARGE = b'{"type":"sleep",' + b" " * (20 * MB)
OTHER = "/v1/batches/batch-" + "0" * 26 + "/state"


class RefusedBodies(Attack):
    """Bodies of 9 to 20 MB, sent by Python's http.client, which sends them to their end before it
    looks for an answer: it has to see the refusal."""
    name = "refused bodies"
    cases = {
        "413 for 9 MB": (413, "POST", "/v1/batches", JSON_FIELD, True, LARGE[:9 * MB]),
        "413 for 20 MB": (413, "POST", "/v1/batches", JSON_FIELD, True, LARGE),
        "413 for 20 MB in chunks": (413, "POST", "/v1/batches", JSON_FIELD, True, [LARGE]),
        "401 for 20 MB": (401, "POST", "/v1/batches", JSON_FIELD, False, LARGE),
        "404 for 20 MB": (404, "PUT", OTHER, JSON_FIELD, True, LARGE),
        "400 for 20 MB of lines": (400, "POST", "/v1/batches?type=sleep", LINES_FIELD, True,
                                   b"none\n" * (4 * MB)),
    }
    marks = tuple(cases)

    async def go(self, server, told):
        await asyncio.to_thread(self.send_all, server, told)

    def send_all(self, server, told):
        while True:
            for what, (status, *rest) in self.cases.items():
                told.add(BEGUN)
                found = self.status_of(server, *rest)
                if found != status:
                    told.add(what)

    @staticmethod
    def status_of(server, method, path, fields, has_key, body):
        """None if none was to be seen."""
        connection = http.client.HTTPConnection(*server.address, timeout=DEADLINE)
        fields = {**fields, "X-Api-Key": server.key} if has_key else fields
        try:
            connection.request(method, path, body, fields)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def has_shown(self, told):
        return told[BEGUN] > len(self.cases)

    def faults(self, told):
        return [f"{what} was not seen" for what in self.cases if told[what]]


class RefusedDripped(Slow):
    """100 bodies that were refused and still come by and by, where there are 16 places: no more than
    an eighth and nine more connections are kept to take them."""
    name = "refused bodies, dripped"
    connections = 100
    options = ("--connections-max", "16")
    descriptors_max = 16 + 2 + 9
    is_measured = False

    def text(self, server):
        return request(server, "POST", "/v1/batches", JSON, "Content-Length: 100000", key=False)

    async def after(self, line):
        await both(line.drip(b" ", DRIP_SECONDS), line.swallow())

    def has_shown(self, told):
        return told[LOST] >= self.connections


class EndlessBodies(Attack):
    """4 connections that send a body of 2⁶³ − 1 bytes to /healthz, for as long as it is taken."""
    name = "endless bodies"
    connections = needed = 4
    taken_max = 128 * MB
    marks = ("too much",)

    async def go(self, server, told):
        length = f"Content-Length: {2**63 - 1}"
        text = request(server, "GET", "/healthz", length, key=False).encode()
        piece = bytes(65_536)

        async def send(line):
            for _ in range(self.taken_max // len(piece)):
                await line.send(piece)
            told.add("too much")
            raise EOFError

        async def receive(line):
            told.add(await line.answer())
            await line.swallow()

        async def play():
            with await Line.to(server) as line:
                told.add(BEGUN)
                await line.send(text)
                await both(send(line), receive(line))

        await crowd(told, self.connections, play, per_second=20)

    def has_shown(self, told):
        return told[LOST] >= self.connections

    def faults(self, told):
        yield from told.unexpected(413)
        if not told[413]:
            yield "413 was not seen"
        if told["too much"]:
            yield f"more than {self.taken_max // MB} MB of a body that is refused were taken"


class OddHosts(Attack):
    """Hosts that are localhost but for their case, or nearly localhost."""
    name = "odd hosts"
    connections = needed = 4
    is_measured = False
    hosts = {"locaLhost": 200, "LOCALHOST": 200, "localhosT": 200, "127.0.0.1": 200, "locaL": 421,
             "Localhostx": 421, "localhosu": 421, "x" * 200: 421}
    marks = tuple(hosts)

    async def go(self, server, told):
        async def play():
            for host, status in self.hosts.items():
                with await Line.to(server) as line:
                    await line.send(request(server, "GET", "/healthz", host=host,
                                            key=False).encode())
                    if await line.answer() != status:
                        told.add(host)
            told.add(BEGUN)

        await crowd(told, self.connections, play)

    def faults(self, told):
        return [f"Host: {host} was not answered {status}" for host, status in self.hosts.items()
                if told[host]]


class EmptyLastPieces(Attack):
    """Results as lines, of batches of all sizes, and then the next request on that connection."""
    name = "empty last pieces"
    is_measured = False
    sizes = (1, 2, *range(20, 80))
    marks = ("bad answer",)

    def prepare(self, peer):
        self.batches = {peer.ended(size): size for size in self.sizes}
        self.batches[peer.sleeping()] = 0

    async def go(self, server, told):
        await asyncio.to_thread(self.ask_all, server, told)

    def ask_all(self, server, told):
        while True:
            for batch, size in self.batches.items():
                try:
                    with wire_to(server) as wire:
                        self.ask(server, wire, batch, size)
                except (Failure, OSError, ValueError):
                    told.add("bad answer")
            told.add(BEGUN)

    @staticmethod
    def ask(server, wire, batch, size):
        for _ in range(2):
            wire.send(request(server, "GET", f"/v1/batches/{batch}/results",
                              "Accept: application/x-ndjson"))
            equal(wire.answer().text.count("\n"), size, "the lines")
            wire.send(request(server, "GET", "/healthz")).answer().is_(200)

    def faults(self, told):
        if told["bad answer"]:
            yield f"{told['bad answer']} answers, or those after them, were not as they should be"


ROWS = (RefusedBodies, RefusedDripped, EndlessBodies, OddHosts, EmptyLastPieces)
