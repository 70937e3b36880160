"""The client whose cancels are timed: a process of its own."""

import contextlib
import json
import select
import time

from attack import leave_signals_to_harness
from checks import DEADLINE, PAUSE, Failure
from peer import HOUR, JSON
from wire import Wire, put, request, wire_to

EVERY = 0.01         # seconds from one fresh batch to the next, at least
KEEP_MS = 1000       # how long batches are kept once they have ended: memory shall not grow by them


class Found:
    """How many ms answers took, and what else was seen; that of several clients can be added."""

    def __init__(self):
        self.cancels, self.healths = [], []
        self.refused = self.asked_again = 0

    def __iadd__(self, other):
        self.cancels += other.cancels
        self.healths += other.healths
        self.refused += other.refused
        self.asked_again += other.asked_again
        return self


class Maker:
    """Makes batches on a connection that it keeps, one by one, and does not wait for them."""

    def __init__(self, server, found):
        self.server, self.found = server, found
        body = json.dumps({"type": "sleep", "inputs": [HOUR], "options": {"keep_ms": KEEP_MS}})
        self.text = request(server, "POST", "/v1/batches", JSON, f"Content-Length: {len(body)}",
                            body=body)
        self.wire, self.is_asked = None, False

    def ask(self):
        """For the next one, unless that was done."""
        with contextlib.suppress(Failure, OSError):
            self.wire = self.wire or Wire(self.server)
            if not self.is_asked:
                self.wire.send(self.text)
                self.is_asked = True
            return
        self.give_up()

    def take(self, seconds=EVERY):
        """The batch that was asked for; None if it is not there so soon, or was refused."""
        self.ask()
        if not self.wire or not select.select([self.wire.socket], [], [], seconds)[0]:
            return None
        with contextlib.suppress(Failure, OSError):
            answer = self.wire.answer()
            self.is_asked = False
            if answer.status == 202:
                return answer.data["batch_id"]
        self.give_up()
        return None

    def give_up(self):
        self.found.refused += 1
        if self.wire:
            self.wire.close()
        self.wire, self.is_asked = None, False


class Client:
    """Cancels fresh batches and asks for /healthz, again and again, each on a connection of its
    own, and takes down how long each answer took. Where new batches come slowly, or are refused,
    there are those that were made before."""

    def __init__(self, server, spare):
        self.server, self.spare, self.found = server, spare, Found()
        self.maker = Maker(server, self.found)

    def run(self, seconds):
        end = time.monotonic() + seconds
        while (begin := time.monotonic()) < end:
            if batch := self.fresh():
                self.found.cancels.append(self.ms_until_ok(put(self.server, batch)))
            health = request(self.server, "GET", "/healthz", key=False)
            self.found.healths.append(self.ms_until_ok(health))
            self.maker.ask()
            time.sleep(max(0, begin + EVERY - time.monotonic()))
        if last := self.maker.take(DEADLINE):
            self.ms_until_ok(put(self.server, last))  # it must not run any longer

    def fresh(self):
        """None if there is none."""
        return self.maker.take() or (self.spare.pop() if self.spare else None)

    def ms_until_ok(self, text):
        """Until it is answered with 200, as often as it has to be asked for that."""
        begin = time.perf_counter()
        while (took := time.perf_counter() - begin) < DEADLINE:
            with contextlib.suppress(Failure, OSError), wire_to(self.server) as wire:
                if wire.send(text).answer().status == 200:
                    return (time.perf_counter() - begin) * 1000
            self.found.asked_again += 1
            time.sleep(PAUSE)
        return took * 1000


def ask(server, spare, seconds, pipe):
    """In the process of the client; what it found is sent at the end."""
    leave_signals_to_harness()
    client = Client(server, spare)
    client.run(seconds)
    pipe.send(client.found)
