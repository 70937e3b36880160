#!/usr/bin/python3
"""The peer for Celery, on a redis-server of its own: `celery_peer.py`.

Celery has no stop for a batch. Its manual's stop for what is pending is purge(), which discards all messages
that no worker has fetched, and says how many. Those that a worker has fetched ahead are found by inspect()
and revoked, and the tasks that run are told by AbortableAsyncResult.abort(), for which they ask the result
backend. (The manual calls the other way, to terminate the process of a task, a last resort.)

The worker is one of the kind `prefork`, with `workers` processes, kept between requests.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import celery
from celery.contrib.abortable import AbortableAsyncResult
from celery.result import AsyncResult

from celery_tasks import PLACE, application

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from lines import now, speak, wait_until  # noqa: E402

WORKER = "peer@localhost"
CHUNK = 1_000
HOUR_NS = 3_600_000_000_000


def start(command, **options):
    """Starts a program that ends when this one does."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, **options)


def descendants(pid):
    yield pid
    with suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                yield from descendants(int(child))


def resident_bytes():
    """Of the peer, its worker and its server, what they share counted once."""
    total = 0
    for pid in descendants(os.getpid()):
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def processor_ns():
    """The processor time of each of their threads."""
    times = {}
    for pid in descendants(os.getpid()):
        with suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                times[task.name] = int((task / "schedstat").read_text().split()[0])
    return times


class Service:
    """A Redis server, which appends what it has to a file and syncs that each second, and a worker."""

    def __init__(self, directory, kept=False):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.kept, self.worker, self.workers = directory, kept, None, 0
        self.socket = directory / "redis.socket"
        self.server = start(["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--dir", str(directory),
                             "--save", "", "--appendonly", "yes"], cwd=directory)
        wait_until("redis-server", self.accepts, 0.01)
        self.app = application(self.socket, kept)
        self.inspect = self.app.control.inspect(destination=[WORKER], timeout=10)

    def accepts(self):
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(str(self.socket)) == 0

    def work(self, workers):
        if self.workers == workers:
            return
        self.end_worker()
        environment = {**os.environ, "CANCELBENCH_REDIS": str(self.socket), "CANCELBENCH_KEPT": str(int(self.kept)),
                       "PYTHONPATH": str(HERE), "C_FORCE_ROOT": "1"}
        state = ["--statedb", str(self.directory / "state")] if self.kept else []  # keeps what was revoked
        log = self.directory / "worker.log"
        self.worker = start([sys.executable, "-B", "-W", "ignore", "-m", "celery", "--quiet", "-A", "celery_tasks",
                             "worker", "-n", WORKER, "-c", str(workers), "--loglevel", "CRITICAL", *state],
                            env=environment, cwd=self.directory, stderr=log.open("a"))
        self.workers = workers
        try:
            wait_until("a worker", lambda: self.app.control.ping([WORKER], timeout=0.5))
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {log.read_text()[-2000:]}") from None

    def end_worker(self):
        if self.worker:
            self.worker.terminate()
            self.worker.wait(60)

    def end(self):
        self.end_worker()
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(60)


class Run:
    def __init__(self, service, scratch, name, request, ledger):
        self.service, self.app = service, service.app
        self.ids, self.purged, self.fetched = [], 0, []
        self.notes = scratch / f"{name}.notes"
        self.notes.write_bytes(bytes(PLACE.size * request["workers"]))
        self.description = scratch / f"{name}.json"
        self.description.write_text(json.dumps({"notes": str(self.notes), "ledger": ledger,
                                                "body_ns": request["body_ns"], "poll_ns": request["poll_ns"]}))
        service.work(request["workers"])

    def hand(self, jobs):
        self.ids = submit(self.app, "poll", jobs, str(self.description))

    def noted(self):
        places = list(PLACE.iter_unpack(self.notes.read_bytes()))
        _, started, finished, interrupted, seen, left = zip(*places)
        return {"begun": sum(n > 0 for n in started), "started": sum(started), "finished": sum(finished),
                "interrupted": sum(interrupted), "seen": max(seen), "quiet": max(left)}

    def begin(self, jobs, running):
        """A body is inside for less time than passes between two, so that it is enough that `running` processes
        have begun with theirs."""
        self.hand(jobs)
        wait_until(f"{running} processes running", lambda: self.noted()["begun"] >= running, 0.0002)

    def cancel(self):
        self.purged = self.app.control.purge()
        reserved = [task["id"] for task in self.service.inspect.reserved()[WORKER]]
        if reserved:
            self.app.control.revoke(reserved, destination=[WORKER], reply=True, timeout=10)
        active = [task["id"] for task in self.service.inspect.active()[WORKER]]
        for task in active:
            AbortableAsyncResult(task, app=self.app).abort()
        self.fetched = [*reserved, *active]

    def wait(self):
        for task in self.fetched:
            AsyncResult(task, app=self.app).get(propagate=False, timeout=60)

    def outcome(self):
        states = dict.fromkeys(["SUCCESS", "FAILURE", "REVOKED"], 0)
        results = 0
        for first in range(0, len(self.ids), CHUNK):
            indices = {task: index for index, task in enumerate(self.ids[first:first + CHUNK], first)}
            for task, found in self.app.backend.get_many(list(indices), max_iterations=1, interval=0):
                states[found["status"]] += 1
                results += found["status"] == "SUCCESS" and found["result"] == indices[task]
        told = {"finished": states["SUCCESS"], "interrupted": states["FAILURE"],
                "never_started": self.purged + states["REVOKED"]}
        return {"told": told, "results": results}

    def end(self):
        self.notes.unlink()
        self.description.unlink()


def submit(app, name, jobs, argument):
    with app.producer_or_acquire() as producer:
        task = app.tasks[name]
        return [task.apply_async((index, argument), producer=producer).id for index in range(jobs)]


class Peer:
    def __init__(self):
        self.scratch = Path(tempfile.mkdtemp(prefix="cancelbench-"))
        self.services = {}
        self.runs = 0

    def service(self, directory=None):
        directory = Path(directory) if directory else self.scratch / "data"
        if directory not in self.services:
            self.services[directory] = Service(directory, kept=directory != self.scratch / "data")
        return self.services[directory]

    def run(self, request, ledger=None, directory=None):
        self.runs += 1
        return Run(self.service(directory), self.scratch, f"run-{self.runs}", request, ledger)

    def cancel(self, request):
        run = self.run(request, request.get("ledger"))
        other = self.run(request | {"body_ns": HOUR_NS}) if request.get("warm") else None
        if other:
            other.begin(1, 1)
        before = resident_bytes()
        run.begin(request["jobs"], request["running"])
        grown = resident_bytes() - before
        time.sleep(request["pause_ns"] / 1e9)
        processor = processor_ns()
        if other:  # a purge would take what is to be measured
            AbortableAsyncResult(other.ids[0], app=other.app).abort()
        answer = {"called": now()}
        run.cancel()
        answer["returned"] = now()
        run.wait()
        answer["awake"] = now()
        answer["cpu_ns"] = sum(time - processor.get(task, 0) for task, time in processor_ns().items())
        noted = run.noted()
        del noted["begun"]
        answer |= {"bytes": grown, **{name: value for name, value in noted.items() if name != "seen" or value}}
        answer |= run.outcome()
        if other:
            other.end()
        run.end()
        return answer

    def throughput(self, request):
        service = self.service()
        service.work(request["workers"])
        answer = {"called": now()}
        tasks = submit(service.app, "spin", request["jobs"], request["body_ns"])
        answer["finished"] = sum(AsyncResult(task, app=service.app).get(timeout=600) == index
                                 for index, task in enumerate(tasks))
        return answer | {"awake": now()}

    def crash(self, request):
        run = self.run(request, request.get("ledger"), request["directory"])
        run.begin(request["jobs"], request["running"])
        Path(request["directory"], "tasks").write_text(json.dumps([run.ids, str(self.scratch)]))
        time.sleep(request["pause_ns"] / 1e9)
        answer = {"called": now()}
        run.cancel()
        return answer | {"returned": now()}

    def recover(self, request):
        """Celery keeps the messages that are not taken, and the results. A caller who has kept the ids of its tasks
        can ask for those; of a purged task nothing is known, and nothing tells of the stop."""
        directory = Path(request["directory"])
        ids, scratch = json.loads((directory / "tasks").read_text())
        service = self.service(directory)
        service.work(request["workers"])
        time.sleep(20)  # every ten seconds Celery looks for messages that were fetched and not taken in time
        wait_until("no task", lambda: not (service.inspect.active()[WORKER] or service.inspect.reserved()[WORKER]), 0.1)
        run = Run(service, self.scratch, "recovered", request, None)
        run.ids = ids
        results = run.outcome()["results"]
        shutil.rmtree(scratch, ignore_errors=True)
        return {"cancelled": False, "results": results}

    def end(self):
        for service in self.services.values():
            service.end()
        shutil.rmtree(self.scratch, ignore_errors=True)


def main():
    peer = Peer()
    try:
        speak({"peer": "Celery, Redis", "version": celery.__version__, "bodies": ["poll"], "jobs_max": 20_000},
              {"cancel": peer.cancel, "throughput": peer.throughput, "crash": peer.crash, "recover": peer.recover})
    finally:
        peer.end()
    os._exit(0)  # results that are still remembered would look for their server


if __name__ == "__main__":
    main()
