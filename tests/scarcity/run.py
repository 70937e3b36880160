#!/usr/bin/python3
"""Takes each resource in turn away from a `belay` program, at each moment of its life, and holds
what it did against what it had said: run.py PATH_TO_BELAY [--slice] [WORD…]

With --slice a few of the cases, with words those whose name contains one of them. Run as root, it
has users of its own for threads and mounts file systems; what can't be tried is told. The last line
is `N passed, N failed`; the status is 1 if any failed.
"""

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True  # the sources' folder stays as it is
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(HERE, "..", "crash"), os.path.join(HERE, "..", "contract")]

from life import TYPES, Ended, Life
from moments import MOMENTS
from resources import Clock, Descriptors, Disk, Memory, Threads

MIB = 1024 * 1024
DAY = 86_400

# What --slice tries, a case of each kind of thing.
SLICE = ("descriptors, start, 63", "descriptors, create, 3", "descriptors, run, 0",
         "descriptors, cancel, 0", "descriptors, seal, 2", "descriptors, restart, 64",
         "threads, create", "threads, cancel", "threads, restart, 4", "disk, create, 0",
         "disk, cancel, 0", "disk, seal, 4096", "disk, restart, 4096", "memory, create, 0",
         "memory, cancel, 0", "memory, crowd, 1048576", "clock, run, 86400",
         "clock, seal, -86400")

# How much is left: of a server that runs, and at a start.
LEFT = {
    Descriptors: ((0, 1, 2, 3, 4, 6, 9), (10, 63, 64, 66, 70, 80)),
    Threads: ((0,), (1, 2, 3, 4, 5, 6, 7, 8, 10)),
    Disk: ((0, 4096, 65_536, MIB), (0, 4096, 65_536, MIB, 12 * MIB)),
    Memory: ((0, MIB, 8 * MIB, 64 * MIB), (100 * MIB, 200 * MIB, 300 * MIB, 500 * MIB, 700 * MIB)),
    Clock: ((-DAY, DAY), (-DAY, DAY)),
}
AT_START = ("start", "restart")
LANES = 3


class Case:
    def __init__(self, kind, moment, left):
        self.kind, self.moment, self.left = kind, moment, left
        self.name = f"{kind.__name__.lower()}, {moment.__name__}, {left}"

    def run(self, harness):
        folder = harness.folder / self.name.replace(", ", "-")
        folder.mkdir()
        resource = self.kind(folder, self.left)
        life = Life(harness.program, folder, harness.root, harness.config, resource)
        try:
            with contextlib.suppress(Ended):
                self.moment(life)
            return life.goes_on()
        except Exception:
            harness.said(life)
            raise
        finally:
            life.kill_all()
            resource.close()


def cases():
    for kind, (running, starting) in LEFT.items():
        for moment in MOMENTS:
            if moment.__name__ == "flood" and kind is not Memory:
                continue
            for left in starting if moment.__name__ in AT_START else running:
                yield Case(kind, moment, left)


class Harness:
    def __init__(self, program, folder):
        self.folder = pathlib.Path(folder)
        self.folder.chmod(0o755)  # for the users that servers run as
        self.program = self.folder / "belay"
        shutil.copy(program, self.program)
        self.root = self.folder / "root"
        self.root.mkdir()
        (self.root / "0.bin").write_bytes(bytes(range(256)) * 4096)
        self.config = self.folder / "types.toml"
        self.config.write_text(TYPES)
        self.config.chmod(0o644)
        self.lock = threading.Lock()
        self.passed = self.failed = 0
        self.logs = threading.local()

    def said(self, life):
        """Keeps what the servers of a failed case have said."""
        self.logs.lines = [f"    {server.stderr_file.name}: {line}" for server in life.servers
                           for line in server.new_stderr().splitlines()[-30:]]

    def run(self, case):
        begin, fault, said = time.monotonic(), None, None
        self.logs.lines = []
        try:
            said = case.run(self)
        except Exception as failure:
            fault = f"{type(failure).__name__}: {failure}"
        took = f"({time.monotonic() - begin:.1f} s)"
        with self.lock:
            if fault is None:
                self.passed += 1
                print(f"ok      {case.name}: {said} {took}", flush=True)
            else:
                self.failed += 1
                print(f"FAILED  {case.name}: {fault} {took}", *self.logs.lines, sep="\n", flush=True)


def begins_with_one_of(name, beginnings):
    return any(name.startswith(beginning) for beginning in beginnings)


def chosen(given, can_mount):
    """The cases to be tried; what is left out is told."""
    if not can_mount:
        print("not tried: disk, since no file system can be mounted here", flush=True)
    for case in cases():
        if given.words and not any(word in case.name for word in given.words):
            continue
        if given.slice and not begins_with_one_of(case.name, SLICE):
            continue
        if case.kind is not Disk or can_mount:
            yield case


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # servers are ended too
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--slice", action="store_true")
    parser.add_argument("words", nargs="*")
    given = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory(prefix="belay-scarcity-") as folder:
        harness = Harness(given.program, folder)
        with concurrent.futures.ThreadPoolExecutor(LANES) as lanes:
            for done in [lanes.submit(harness.run, case)
                         for case in chosen(given, Disk.can_be_had(harness.folder))]:
                done.result()
    print(f"{harness.passed} passed, {harness.failed} failed")
    return 1 if harness.failed else 0


if __name__ == "__main__":
    sys.exit(main())
