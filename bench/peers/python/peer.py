#!/usr/bin/python3
"""A peer of cancelbench: Python's concurrent.futures.

The form is that of the manual of concurrent.futures: a ThreadPoolExecutor, a Future for each job,
and shutdown(cancel_futures=True), which cancels what is pending. The library can't interrupt a
call that runs. So the bodies ask a threading.Event, one for all, or wait for it, and raise an
exception when it is set; it is set first, so that running bodies needn't wait until as many
futures are cancelled as there are.

What is told is what the futures say: one that is cancelled() never started, one with an exception
was interrupted, one with a result has finished. A shutdown ends the threads, so each run has a pool
of its own, and another run is in another pool, which has one of the workers. Before a cancel the threads begin when all jobs have
been handed over: bodies that spin would keep the interpreter's lock from the caller that long that
most jobs were over.

    python3 peer.py
"""

import json
import mmap
import os
import platform
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

JOBS_MAX = 100_000
HOUR = 3_600_000_000_000
now = time.monotonic_ns


class Stopped(Exception):
    """A body came to its end early."""


class Notes:
    """What the bodies of one thread did; no other thread writes here."""

    def __init__(self):
        self.started = self.finished = self.interrupted = 0
        self.seen = self.left = 0


class Run:
    """Jobs that are cancelled together."""

    def __init__(self, request, ledger=None):
        self.request = request
        self.ledger = ledger
        self.stop = threading.Event()
        self.open = threading.Event()
        self.notes = []
        self.mine = threading.local()
        self.pool = ThreadPoolExecutor(request["workers"], initializer=self.join)

    def join(self):
        """A thread's first act."""
        self.mine.notes = Notes()
        self.notes.append(self.mine.notes)
        self.open.wait()

    def submit(self, body):
        self.futures = [self.pool.submit(body, index) for index in range(self.request["jobs"])]

    def cancel(self):
        self.stop.set()
        self.pool.shutdown(wait=False, cancel_futures=True)

    def wait(self):
        self.pool.shutdown()

    def wait_until_inside(self):
        """Until that many threads have begun a body, or all jobs have ended. The interpreter lets
        one thread run at a time, and it may do so for whole bodies: then the caller, while it
        runs, never finds two that spin inside."""
        count = self.request["running"]
        end = now() + 60_000_000_000
        jobs = self.request["jobs"]
        while sum(notes.started > 0 for notes in self.notes) < count and self.ended() < jobs:
            if now() > end:
                self.cancel()
                self.wait()
                raise ValueError(f"there were not {count} bodies inside at once within a minute")
            time.sleep(50e-6)

    def ended(self):
        return sum(notes.finished + notes.interrupted for notes in self.notes)

    def told(self):
        """What the futures say."""
        finished = interrupted = never_started = 0
        for future in self.futures:
            if future.cancelled():
                never_started += 1
            elif future.done():
                if future.exception():
                    interrupted += 1
                else:
                    finished += 1
        return {"finished": finished, "interrupted": interrupted, "never_started": never_started}

    def results(self):
        """How many futures have their job's index as their result."""
        return sum(
            future.done() and not future.cancelled() and not future.exception()
            and future.result() == index
            for index, future in enumerate(self.futures)
        )

    # The bodies.

    def enter(self, index, notes):
        entered = now()
        if self.ledger:
            self.ledger[2 * index] = entered
        notes.started += 1
        return entered

    def finish(self, index, notes):
        notes.finished += 1
        notes.left = now()
        if self.ledger:
            self.ledger[2 * index + 1] = notes.left
        return index

    def interrupt(self, index, notes, began=None):
        """If the first question told the body to stop, it has done nothing since it `began`."""
        notes.seen = now()
        notes.interrupted += 1
        notes.left = now()
        if self.ledger:
            self.ledger[2 * index + 1] = -(began or notes.left)
        raise Stopped

    def poll(self, index):
        notes = self.mine.notes
        at = began = self.enter(index, notes)
        end = at + self.request["body_ns"]
        poll_ns = self.request["poll_ns"]
        stopped = self.stop.is_set
        while at < end:
            if stopped():
                self.interrupt(index, notes, began if at == began else None)
            after = at + poll_ns
            at = now()
            while at < after:
                at = now()
        return self.finish(index, notes)

    def sleep(self, index):
        notes = self.mine.notes
        self.enter(index, notes)
        if self.stop.wait(HOUR / 1e9):
            self.interrupt(index, notes)
        return self.finish(index, notes)


def resident_bytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * mmap.PAGESIZE


def processor_ns(threads=()):
    """The processor time of the process. The kernel accounts for a thread that is running only at
    its ticks, or when that thread's own clock is read: so these are read first."""
    for thread in threads:
        time.clock_gettime_ns(thread)
    return time.process_time_ns()


def open_ledger(request):
    """The file's integers, or nothing."""
    if not request.get("ledger"):
        return None
    with open(request["ledger"], "r+b") as file:
        if os.fstat(file.fileno()).st_size != 16 * request["jobs"]:
            raise ValueError(f"'{file.name}' is no ledger of {request['jobs']} jobs")
        return memoryview(mmap.mmap(file.fileno(), 0)).cast("q")


def began(request):
    """A run under way, and by how much the resident memory has grown."""
    body = {"poll": Run.poll, "sleep": Run.sleep}.get(request.get("body", "poll"))
    if not body:
        raise ValueError(f"there is no body '{request['body']}' here")
    run = Run(request, open_ledger(request))
    memory = resident_bytes()
    run.submit(lambda index: body(run, index))
    run.open.set()
    run.wait_until_inside()
    return run, resident_bytes() - memory


def cancel(request):
    other = None
    if request.get("warm"):
        if request["workers"] < 2:
            raise ValueError("two runs want two workers")
        single = {"jobs": 1, "workers": 1, "running": 1, "body_ns": HOUR, "ledger": None}
        other, _ = began(request | single)
        request = request | {"workers": request["workers"] - 1}
    run, memory = began(request)
    threads = [~int(thread) << 3 | 6 for thread in os.listdir("/proc/self/task")]  # their clocks
    time.sleep(request["pause_ns"] / 1e9)

    processor = processor_ns(threads)
    if other:
        other.cancel()
    called = now()
    run.cancel()
    returned = now()
    if request["script"] == "crash":
        return {"called": called, "returned": returned, "told": run.told()}
    run.wait()
    awake = now()
    processor = processor_ns() - processor

    if other:
        other.wait()
    found = {
        "called": called,
        "returned": returned,
        "quiet": max(notes.left for notes in run.notes),
        "awake": awake,
        "started": sum(notes.started for notes in run.notes),
        "finished": sum(notes.finished for notes in run.notes),
        "interrupted": sum(notes.interrupted for notes in run.notes),
        "bytes": memory,
        "cpu_ns": processor,
        "told": run.told(),
        "results": run.results(),
    }
    if seen := max(notes.seen for notes in run.notes):
        found["seen"] = seen
    return found


def throughput(request):
    body_ns = request["body_ns"]

    def spin(index):
        if body_ns:
            end = now() + body_ns
            while now() < end:
                pass
        return index

    run = Run(request)
    run.open.set()
    called = now()
    run.submit(spin)
    finished = sum(future.result() == index for index, future in enumerate(run.futures))
    awake = now()
    run.wait()
    return {"called": called, "awake": awake, "finished": finished}


def recover(_):
    return {}  # nothing is kept


SCRIPTS = {"cancel": cancel, "crash": cancel, "recover": recover, "throughput": throughput}


def perform(line):
    request = json.loads(line)
    script = SCRIPTS.get(request.get("script"))
    if not script:
        raise ValueError(f"there is no script '{request.get('script')}' here")
    if request.get("jobs", 0) > JOBS_MAX:
        raise ValueError(f"{request['jobs']} jobs are more than {JOBS_MAX}")
    return script(request)


def say(answer):
    print(json.dumps(answer), flush=True)


def main():
    say({
        "cancelbench": 1,
        "peer": "Python concurrent.futures",
        "version": platform.python_version(),
        "scripts": ["cancel", "throughput", "crash"],
        "bodies": ["poll", "sleep"],
        "jobs_max": JOBS_MAX,
    })
    for line in sys.stdin:
        try:
            answer = perform(line)
        except (ValueError, KeyError, OSError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        say(answer)


if __name__ == "__main__":
    main()
