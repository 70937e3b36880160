#!/usr/bin/python3
"""Kills a `belay` program again and again, and holds what it kept against what it had said:
run.py PATH_TO_BELAY [--rounds N] [--seed S] [--soak [SECONDS]]

With --soak it kills nothing: it keeps the program busy for that long, 600 s unless said, and holds
against each other what its store has grown to.

The program is to be a debug build, whose fail points it kills itself at. The last line is
`N passed, N failed`; the status is 1 if any failed.
"""

import argparse
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the sources' folder stays as it is
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "contract"))

from checks import Failure, equal
from client import Client
from server import Server, ended

from check import settle, verify
from load import Load
from points import POINTS
from record import Record
from soak import Soak

ROUNDS_A_DIRECTORY = 4  # then a fresh one, so that there is not ever more to look at


class Harness:
    def __init__(self, program, folder, seed):
        self.program, self.folder, self.seed = program, pathlib.Path(folder), seed
        self.root = self.folder / "root"
        self.root.mkdir()
        for number in range(4):
            (self.root / f"{number}.bin").write_bytes(bytes(range(256)) * (1 << (2 * number)))
        self.servers = []

    def start(self, data, fail_point=None, *more):
        return self.launch(data, fail_point, *more).wait_ready()

    def launch(self, data, fail_point=None, *more):
        options = {"data": data}
        if fail_point:
            options["program_first"] = [f"BELAY_FAIL_POINT={fail_point}", self.program]
        server = Server("/usr/bin/env" if fail_point else self.program, self.folder, self.root,
                        "--wait-max", "2", *more, **options)
        self.servers.append(server)
        return server

    @staticmethod
    def client_of(server):
        return Client(server.url, server.key)

    def kill_all(self):
        for server in self.servers:
            server.kill()

    def rounds(self, count, report):
        record = data = None
        for number in range(1, count + 1):
            if (number - 1) % ROUNDS_A_DIRECTORY == 0:
                record, data = Record(), self.folder / f"data-{number}"
            name = f"round {number} (--seed {self.seed})"
            if not report(name, lambda: self.round(number, record, data)):
                record, data = Record(), self.folder / f"data-{number}-again"
            if number % ROUNDS_A_DIRECTORY == 0 or number == count:
                report(f"the end after round {number}", lambda: self.end(record, data))

    def round(self, number, record, data):
        """Load, a kill at a random moment, a restart, and a look at what came back."""
        random_ = random.Random(f"{self.seed}/{number}")
        server = self.start(data)
        load = Load(self.client_of(server), server, record, f"{self.seed}/{number}")
        load.begin()
        time.sleep(random_.uniform(0.05, 0.8))  # the random moment; nothing is waited for
        server.kill()
        load.join()
        server = self.start(data)
        try:
            said = verify(self.client_of(server), record)
        finally:
            server.kill()
        return f"{load.done()}; afterwards {said}"

    def end(self, record, data):
        """All that is open is cancelled; what has ended is still there after an orderly restart."""
        with ended(self.start(data)) as server:
            settle(self.client_of(server), record)
        with ended(self.start(data)) as server:
            said = verify(self.client_of(server), record)
            equal(list((data / "outputs").glob("draft-*")), [], "what is left of uploads and outputs")
            return said


class Report:
    def __init__(self, harness):
        self.passed = self.failed = 0
        self.harness = harness

    def __call__(self, name, function):
        begin = time.monotonic()
        try:
            said = function()
        except (Failure, OSError, KeyError, TypeError, ValueError) as fault:
            self.failed += 1
            print(f"FAILED  {name}: {type(fault).__name__}: {fault}", flush=True)
            for server in self.harness.servers:
                for line in server.new_stderr().splitlines():
                    print(f"    {server.stderr_file.name}: {line}", flush=True)
            self.harness.kill_all()
            return False
        self.passed += 1
        print(f"ok      {name}: {said} ({time.monotonic() - begin:.1f} s)", flush=True)
        return True


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # servers are ended too
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10 ** 6))
    parser.add_argument("--soak", nargs="?", type=int, const=600, metavar="SECONDS")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="belay-crash-") as folder:
        harness = Harness(os.path.abspath(given.program), folder, given.seed)
        report = Report(harness)
        try:
            if given.soak is not None:
                report(f"a soak of {given.soak} s", Soak(harness, given.soak, given.seed).run)
            else:
                for name, times, check in POINTS:
                    report(f"fail point {name}:{times}", lambda: check(harness, name, times))
                harness.rounds(given.rounds, report)
        finally:
            harness.kill_all()
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
