#!/usr/bin/python3
"""Runs the fuzz targets under libFuzzer, two at a time: run.py PROGRAMS [--minutes N] [--merge] [WORD…]

PROGRAMS is the folder that `b2 toolset=clang variant=libfuzzer tests//libfuzzers` fills. Each target has
N minutes of processor time, 10 unless told otherwise, and goes on from what it found in earlier runs,
which is kept in PROGRAMS/corpus/; tests/fuzz/corpus/ is read and not changed. With words, only targets
whose name has one of them in it.

With --merge nothing is looked for: of what earlier runs found, tests/fuzz/corpus/ gets those inputs that
reach what nothing there does (-merge=1). Look at them before they are committed.

The last line is `N passed, N failed`; the status is 1 if any failed. What made a target fail lies in
PROGRAMS, where its output says.
"""

import argparse
import concurrent.futures
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
AT_A_TIME = 2
# Beyond what it may take for one input, and to write what it has.
ENDING_SECONDS = 60
INPUT_SECONDS = 10
MEMORY_MEBIBYTES = 4096
TICKS = os.sysconf("SC_CLK_TCK")

STATUS = re.compile(r"#\d+\s+(\w+)\s+cov: (\d+) ft: (\d+)")
FIGURE = re.compile(r"stat::(\w+):\s+(\d+)")


def processor_seconds(pid):
    """What a process, which was not waited for yet, has used up."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS


class Target:
    def __init__(self, programs, source):
        self.name = source.stem
        self.programs = programs
        self.program = programs / f"{self.name}-libfuzzer"
        self.found = programs / "corpus" / self.name
        self.seeds = HERE / "corpus" / self.name.removesuffix("_fuzz")
        self.output = programs / f"{self.name}.output"
        self.edges = self.features = self.used = self.newest = 0
        self.figures = {}
        self.process = None

    def start(self, *arguments):
        self.found.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            ["nice", self.program, f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={MEMORY_MEBIBYTES}",
             f"-artifact_prefix={self.programs}/{self.name}-", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return self.process

    def look(self, line):
        """What a line of its output says."""
        if status := STATUS.match(line):
            self.edges, self.features = int(status[2]), int(status[3])
            if status[1] == "NEW":
                self.newest = self.used
        elif figure := FIGURE.match(line):
            self.figures[figure[1]] = int(figure[2])

    def fuzz(self, seconds):
        """Why it failed, or None."""
        if not self.program.exists():
            return "did not build"
        seeds = [self.seeds] if self.seeds.is_dir() else []
        process = self.start("-print_final_stats=1", self.found, *seeds)
        try:
            return self.watch(process, seconds)
        finally:
            process.kill()
            process.wait()
            process.stderr.close()

    def watch(self, process, seconds):
        pipe = process.stderr.fileno()
        rest = b""
        told = None
        with self.output.open("wb") as output:
            while True:
                readable = select.select([pipe], [], [], 0.5)[0]
                self.used = processor_seconds(process.pid)
                if readable:
                    more = os.read(pipe, 65536)
                    if not more:
                        break
                    output.write(more)
                    *lines, rest = (rest + more).split(b"\n")
                    for line in lines:
                        self.look(line.decode(errors="replace"))
                if told is None and self.used >= seconds:
                    process.send_signal(signal.SIGUSR1)  # it ends after the input that it is at
                    told = time.monotonic()
                elif told is not None and time.monotonic() - told > ENDING_SECONDS:
                    return "did not end when it was told to"
        status = process.wait()
        if status != 0:
            return f"status {status}"
        return None if told is not None else "ended by itself"

    def merge(self):
        """Why it failed, or None."""
        if not self.program.exists():
            return "did not build"
        self.seeds.mkdir(parents=True, exist_ok=True)
        before = len(list(self.seeds.iterdir()))
        process = self.start("-merge=1", self.seeds, self.found)
        self.output.write_bytes(process.communicate()[1])
        if process.returncode != 0:
            return f"status {process.returncode}"
        self.figures["added"] = len(list(self.seeds.iterdir())) - before
        return None

    def said(self):
        """What it came to, in a line."""
        if "added" in self.figures:
            return f"{self.figures['added']} inputs added to {self.seeds.relative_to(HERE.parent.parent)}"
        runs = self.figures.get("number_of_executed_units", 0)
        return (f"{runs:,} runs, {runs / max(self.used, 0.01):,.0f}/s; coverage {self.edges} edges, "
                f"{self.features} features, the last new one {self.used - self.newest:,.0f} s before the end")


def run(target, arguments):
    fault = target.merge() if arguments.merge else target.fuzz(arguments.minutes * 60)
    if fault is None:
        print(f"ok      {target.name}: {target.said()}", flush=True)
    else:
        end = target.output.read_text(errors="replace")[-4000:] if target.output.exists() else ""
        print(f"FAILED  {target.name}: {fault}; {target.said()}\n{end}", flush=True)
    return fault is None


def minutes(text):
    value = float(text)
    if not 0 < value <= 1440:
        raise argparse.ArgumentTypeError(f"{text} is not a time of up to 1440 minutes")
    return value


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path)
    parser.add_argument("--minutes", type=minutes, default=10)
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_intermixed_args()
    targets = [Target(arguments.programs.resolve(), source) for source in sorted(HERE.glob("*_fuzz.cpp"))
               if not arguments.words or any(word in source.stem for word in arguments.words)]
    if not targets:
        sys.exit("No target has such a name; there are " +
                 ", ".join(sorted(path.stem for path in HERE.glob("*_fuzz.cpp"))))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        try:
            passed = sum(pool.map(lambda target: run(target, arguments), targets))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for target in targets:
                if target.process:
                    target.process.kill()
            raise
    print(f"{passed} passed, {len(targets) - passed} failed")
    return 0 if passed == len(targets) else 1


if __name__ == "__main__":
    sys.exit(main())
