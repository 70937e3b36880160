"""How long cancels and /healthz take, with each attack and without it by turns."""

import contextlib
import os
import time

from attack import FORK, Assault, leave_signals_to_harness
from checks import DEADLINE, check, until
from figures import Figures
from moment import DESCRIPTORS_LEFT
from peer import Peer
from streams import readers_of
from timing import KEEP_MS, Found, ask
from usage import Usage

SPARE = 300          # batches that are made before each turn
SPINNING = 2         # processes that keep the cores busy, and don't connect
LOOK_EVERY = 0.02


class Row:
    """An attack and its server, by turns left alone and attacked."""

    def __init__(self, attack, server, seconds):
        self.attack, self.server, self.seconds = attack, server, seconds
        self.peer, self.usage = Peer(server), None
        self.idle, self.attacked = Found(), Found()

    def measure(self, rounds):
        self.attack.prepare(self.peer)
        for _ in range(rounds):
            self.idle += self.turn(contextlib.nullcontext())
            self.usage = self.usage or Usage(self.server.pid)
            self.attacked += self.turn(Assault(self.attack, self.server))

    def turn(self, assault):
        """What the client found meanwhile."""
        self.attack.begin(self.peer)
        spare = [self.peer.must_create(keep_ms=KEEP_MS) for _ in range(SPARE)]
        self.peer.close()
        with assault as under_way:
            if under_way:
                under_way.wait_until_begun()
            found = self.watch_client(spare, under_way)
        self.attack.release(self.peer)
        for batch in spare:
            self.peer.cancel(batch)  # those that are over are not known any more
        self.attack.finish(self.peer)
        self.peer.close()
        if under_way:
            self.wait_until_over()
        return found

    def watch_client(self, spare, under_way):
        here, there = FORK.Pipe(duplex=False)
        process = FORK.Process(target=ask, args=(self.server, spare, self.seconds, there),
                               daemon=True)
        process.start()
        there.close()
        end = time.monotonic() + self.seconds + 3 * DEADLINE
        while not here.poll(LOOK_EVERY):
            check(self.server.alive(), "the server has ended")
            check(time.monotonic() < end, "the client did not come to an end")
            if under_way:
                under_way.goes_on()
                self.usage.look()
        found = here.recv()
        process.join()
        return found

    def wait_until_over(self):
        """What the attack has left must not be there any more when the server is left alone."""
        most = self.usage.idle_descriptors + DESCRIPTORS_LEFT
        until(lambda: self.usage.descriptors() <= most, f"at most {most} descriptors")


@contextlib.contextmanager
def busy_cores():
    """As busy as can be, all the time."""
    spinning = [FORK.Process(target=spin, args=(os.getpid(),), daemon=True)
                for _ in range(SPINNING)]
    for process in spinning:
        process.start()
    try:
        yield
    finally:
        for process in spinning:
            process.kill()


def spin(harness):
    leave_signals_to_harness()
    while os.getppid() == harness:
        for _ in range(1_000_000):
            pass


def measure_row(attack, harness, seconds, rounds, figures):
    with harness.started(attack) as server, readers_of(server, harness.streams_of(attack)):
        row = Row(attack, server, seconds)
        row.measure(rounds)
    figures.add_row(attack.name, row)


def measure_all(attacks, harness, seconds, rounds, file):
    """The exit status: 1 if there was an attack that could not be measured."""
    failed, figures = 0, Figures(file)
    with busy_cores():
        for attack in attacks:
            try:
                measure_row(attack, harness, seconds, rounds, figures)
            except Exception as failure:
                failed += 1
                print(f"FAILED  {attack.name}: {type(failure).__name__}: {failure}\n"
                      f"{harness.said()}", end="", flush=True)
    return 1 if failed else 0
