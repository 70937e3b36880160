"""The bodies of the peer for Celery, and the application to which they belong, as the worker loads it."""
import json
import mmap
import os
import struct
import time

from billiard import current_process
from celery import Celery
from celery.contrib.abortable import AbortableTask

PLACE = struct.Struct("6q")  # the sums of one process: inside, started, finished, interrupted, seen, left
TIME = struct.Struct("q")
now = time.monotonic_ns


class Aborted(Exception):
    """Raised by a body that has seen the stop; its task is then kept as failed with this."""


def shared(path):
    """The file in memory; what is written there is seen by all, also when the writer is killed."""
    with open(path, "r+b") as file:
        return mmap.mmap(file.fileno(), 0)


class Run:
    """What the bodies in this process do for one run; each process has a place of its own in the notes."""

    def __init__(self, path):
        with open(path) as file:
            self.request = json.load(file)
        self.ledger = shared(self.request["ledger"]) if self.request.get("ledger") else None
        self.notes = shared(self.request["notes"])
        self.offset = PLACE.size * current_process().index
        self.inside = self.started = self.finished = self.interrupted = self.seen = self.left = 0

    def write(self):
        PLACE.pack_into(self.notes, self.offset, self.inside, self.started, self.finished, self.interrupted,
                        self.seen, self.left)

    def enter(self, index, time):
        if self.ledger:
            TIME.pack_into(self.ledger, 16 * index, time)
        self.inside += 1
        self.started += 1
        self.write()

    def leave(self, index, interrupted, began=None):
        """A body that was interrupted by its first question gives when it began, since when it has done nothing."""
        self.inside -= 1
        if interrupted:
            self.interrupted += 1
        else:
            self.finished += 1
        self.left = now()
        if self.ledger:
            TIME.pack_into(self.ledger, 16 * index + 8, -(began or self.left) if interrupted else self.left)
        self.write()


current = {}  # the description of a run: the run, the last one alone


def run_of(path):
    if path not in current:
        current.clear()
        current[path] = Run(path)
    return current[path]


def poll(self, index, path):
    time = began = now()
    run = run_of(path)
    run.enter(index, began)
    end = began + run.request["body_ns"]
    while time < end:
        if self.is_aborted():
            run.seen = now()
            run.leave(index, interrupted=True, began=began if time == began else None)
            raise Aborted
        ask = time + run.request["poll_ns"]
        time = now()
        while time < ask:
            time = now()
    run.leave(index, interrupted=False)
    return index


def spin(self, index, body_ns):
    end = now() + body_ns
    while body_ns and now() < end:
        pass
    return index


def application(socket, kept):
    app = Celery("celery_tasks", broker=f"redis+socket://{socket}", backend=f"redis+socket://{socket}")
    if kept:  # what a killed worker had fetched is handed out again after seconds, rather than after an hour
        app.conf.broker_transport_options = {"visibility_timeout": 3}
    app.task(poll, bind=True, base=AbortableTask, name="poll", throws=(Aborted,))
    app.task(spin, bind=True, name="spin")
    return app


if "CANCELBENCH_REDIS" in os.environ:
    app = application(os.environ["CANCELBENCH_REDIS"], os.environ["CANCELBENCH_KEPT"] == "1")
