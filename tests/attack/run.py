#!/usr/bin/python3
"""Attacks a `belay` program, and cancels fresh batches beside it:
run.py PROGRAM [--measure [--seconds N] [--rounds N] [--streams N] [--json FILE]] [WORD…]

With words, only the attacks whose name contains one of them. Each goes on for a moment, and what is
looked at is statuses, memory and descriptors; the last line is `N passed, N failed`, and the status
is 1 if any failed. With --measure it is how long cancels and /healthz take, with the attack and
without it by turns; and with --streams all the time beside so many readers of events, where the
attack leaves that many connections.
"""

import argparse
import contextlib
import itertools
import os
import pathlib
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the sources' folder stays as it is
sys.path[1:1] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "contract")]
os.environ.setdefault("CONTRACT_DEADLINE", "60" if "--measure" in sys.argv else "20")

from server import Server, ended

import ending
import gone
import greedy
import measure
import moment
import refused
import slow

ROWS = (*slow.ROWS, *gone.ROWS, *greedy.ROWS, *refused.ROWS, *ending.ROWS)


class Harness:
    """Starts the servers that are attacked."""

    def __init__(self, program, folder, streams=0):
        self.program, self.folder = os.path.abspath(program), pathlib.Path(folder)
        self.streams = streams
        self.root = self.folder / "root"
        self.root.mkdir()
        self.numbers = itertools.count(1)
        self.server = None

    def streams_of(self, attack):
        """How many streams of events are open beside it."""
        return 0 if "--connections-max" in attack.options else self.streams

    @contextlib.contextmanager
    def started(self, attack):
        """A server for this attack, ended properly unless something failed."""
        data = self.folder / f"data-{next(self.numbers)}" if attack.on_disk else None
        streams = str(self.streams_of(attack))
        more = () if streams == "0" else ("--event-streams-max", streams, "--event-streams-per-key-max", streams)
        self.server = server = Server(self.program, self.folder, self.root, *attack.options, *more,
                                      data=data, **attack.how())
        try:
            with ended(server.wait_ready()):
                yield server
        finally:
            server.kill()
            attack.close()

    def said(self):
        """By the last server, at the end."""
        if self.server is None:
            return ""
        return "".join(f"    {line}\n" for line in self.server.stderr().splitlines()[-5:])


def fault_of(attack, harness):
    """What was wrong, or None."""
    try:
        if hasattr(attack, "alone"):
            attack.alone(harness)
        else:
            moment.play(attack, harness)
    except Exception as failure:
        return f"{type(failure).__name__}: {failure}"
    return None


def play_all(attacks, harness):
    failed = 0
    for attack in attacks:
        begin, fault = time.monotonic(), fault_of(attack, harness)
        took = f"({time.monotonic() - begin:.1f} s)"
        if fault is None:
            print(f"ok      {attack.name} {took}", flush=True)
        else:
            failed += 1
            print(f"FAILED  {attack.name}: {fault} {took}\n{harness.said()}", end="", flush=True)
    print(f"{len(attacks) - failed} passed, {failed} failed")
    return 1 if failed else 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int, default=0)
    parser.add_argument("--json")
    parser.add_argument("words", nargs="*")
    return parser.parse_intermixed_args()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # servers are ended too
    given = arguments()
    attacks = [row(is_full=given.measure) for row in ROWS
               if (row.is_measured or not given.measure)
               and (not given.words or any(word in row.name for word in given.words))]
    with tempfile.TemporaryDirectory(prefix="belay-attack-") as folder:
        harness = Harness(given.program, folder, given.streams)
        if given.measure:
            return measure.measure_all(attacks, harness, given.seconds, given.rounds, given.json)
        return play_all(attacks, harness)


if __name__ == "__main__":
    sys.exit(main())
