"""The life of one data directory: servers come and go, and what clients were told is held against
them to the end."""

import concurrent.futures
import contextlib
import json
import random
import threading
import time

import requests

from checks import DEADLINE, PAUSE, check, contains, equal, one_of, until
from client import ENDED, Client
from server import Server

from check import jobs_of, resolve, settle, verify
from load import JSON, Creation
from record import Record

HOUR = 3_600_000

TYPES = """
[type.quick]
command = ["/bin/sh", "-c", "echo done"]
concurrency = 4

[type.long]
command = ["/bin/sh", "-c", "echo BELAY_PROGRESS 1; exec sleep 3600"]
concurrency = 4

[type.stubborn]
command = ["/bin/sh", "-c", "trap '' TERM; echo BELAY_PROGRESS 1; while :; do sleep 3600; done"]
concurrency = 2
grace = "300ms"
"""


class Ended(Exception):
    """The server ended, as it may for the lack of this resource."""


class Life:
    def __init__(self, program, folder, root, config, resource):
        self.program, self.folder, self.root = program, folder, root
        self.config, self.resource = config, resource
        self.record = Record()
        self.finite = []      # batches that end by themselves
        self.told = []        # what is worth telling at the end
        self.servers = []
        self.server = self.client = None
        self.is_short = False

    # Servers

    def make(self, launcher):
        program, *first = [*launcher, *self.resource.launcher, self.program]
        server = Server(program, self.folder, self.root, "--wait-max", "10", "--grace-ms", "1000",
                        "--config", self.config, data=self.resource.data, program_first=first,
                        **self.resource.how)
        self.servers.append(server)
        return server

    def start(self):
        self.server = self.make([]).wait_ready()
        self.client = Client(self.server.url, self.server.key)

    @contextlib.contextmanager
    def started_short(self):
        """A server that is started while the resource is short, and has gone afterwards: whether it
        could be; else it has said why."""
        self.resource.before_short_start()
        self.is_short = True
        try:
            yield self.try_start()
        finally:
            self.is_short = False
            self.kill_all()
            self.resource.after_short_start()

    def try_start(self):
        server = self.make(self.resource.short_launcher)
        until(lambda: not server.alive() or server.pid_in_file() == server.pid,
              "the start or the end of a server")
        if server.alive():
            self.server = server.wait_ready()
            self.client = Client(server.url, server.key)
            return True
        status = server.wait_end()
        if not self.resource.may_end:
            equal(status, 1, f"the status of a server that can't start; it said {server.stderr()!r}")
            contains(server.stderr(), "belay: ", "what it said")
        self.tell("refused to start")
        return False

    def stop(self):
        self.server.stop()

    def kill_all(self):
        for server in self.servers:
            server.kill()

    # Scarcity

    @contextlib.contextmanager
    def short(self):
        """The resource is short meanwhile."""
        self.resource.take(self.server)
        self.is_short = True
        try:
            yield
        finally:
            self.is_short = False
            self.resource.give(self.server)

    def linger(self):
        """Some time for what runs to find that there is nothing left; nothing is waited for."""
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            self.ask(lambda client: client.get("/healthz", key=None))
            time.sleep(10 * PAUSE)

    # Requests

    def ask(self, request, client=None):
        """What `request(client)` gives. A connection may have been given up for another: then
        again."""
        end = time.monotonic() + DEADLINE
        while True:
            try:
                return request(client or self.client)
            except requests.RequestException as failure:
                if not self.server.alive():
                    status = self.server.process.poll()
                    check(self.resource.may_end, f"the server ended, status {status}")
                    self.tell("ended")
                    raise Ended from None
                check(time.monotonic() < end, f"no answer: {failure}")
                time.sleep(PAUSE)

    def create(self, type, inputs, is_finite=True, allowed=None, **options):
        """A batch; or None where it was refused, as it may be while the resource is short."""
        allowed = allowed or (self.resource.creations if self.is_short else (202,))
        body = json.dumps({"type": type, "inputs": inputs, "options": options})
        creation = Creation("", JSON, body, len(inputs))
        self.record.sent(creation)
        answer = self.ask(creation.send)
        one_of(answer.status, allowed, f"the status of a creation: {answer.text[:300]}")
        self.record.answered(creation)
        if answer.status != 202:
            self.tell("creations refused")
            return None
        batch = self.record.made(answer.data["batch_id"], len(inputs))
        if is_finite:
            self.finite.append(batch)
        return batch

    def tell(self, what):
        self.told.append(what)

    def running(self, type, input, jobs, running, **options):
        """A batch that goes on until it is stopped, of which that many jobs run."""
        batch = self.create(type, [input] * jobs, is_finite=False, **options)
        # A job runs before its program does; that one says so.
        until(lambda: running == sum(job["state"] == "running" and
                                     (type == "sleep" or job["progress"] == 1)
                                     for job in jobs_of(self.client, batch)),
              f"{running} running jobs of type {type}")
        return batch

    def victims(self):
        """Programs and bodies that run, to be cancelled."""
        return [self.running("long", {}, 6, 3, concurrency=3),
                self.running("sleep", HOUR, 6, 1, concurrency=1)]

    def look(self, batch):
        batch.saw_state(self.ask(lambda client: client.state(batch.id)))
        for job in self.ask(lambda client: jobs_of(client, batch)):
            batch.saw_job(job)

    def cancel(self, batch, client=None, statuses=(200,), **headers):
        """A cancel, answered within its deadline."""
        batch.cancel_asked = True
        answer = self.ask(lambda client: client.change(batch.id, {"reason": "r"}, headers=headers),
                          client)
        if answer.status == 500:
            batch.cancel_refused = answer.details
        one_of(answer.status, statuses, f"the status of a cancel: {answer.text[:400]}")
        if answer.status in (200, 202):
            batch.saw_cancel(answer.data)
            self.in_time(answer.data)
        return answer

    @staticmethod
    def in_time(data):
        cancel = data["cancel"]
        if cancel["finished_at"]:
            check(cancel["finished_at"] <= cancel["deadline_at"],
                  f"a cancel that was late (G5): {cancel}")

    def cancel_all(self, batches, **more):
        """All at once, one of them on the connection that is there, the others on new ones."""
        clients = [self.client, *(Client(self.server.url, self.server.key) for _ in batches[1:])]
        with concurrent.futures.ThreadPoolExecutor(len(batches)) as threads:
            for done in [threads.submit(self.cancel, batch, client, **more)
                         for batch, client in zip(batches, clients)]:
                done.result()

    # The end

    def stop_endless(self):
        """What goes on until it is stopped would hold the workers."""
        for batch in self.record.all():
            if batch not in self.finite and self.client.state(batch.id)["current_state"] not in ENDED:
                self.cancel(batch, statuses=(200, 409))

    def create_again(self, type, inputs):
        """A batch, as soon as there is enough for one."""
        return until(lambda: self.create(type, inputs, allowed=(202, 503)),
                     f"a batch of type {type}")

    def goes_on(self):
        """There is enough of everything again: it is as if nothing had been."""
        if not self.server or not self.server.alive():
            self.start()
        resolve(self.client, self.record)
        self.stop_endless()
        self.create_again("sleep", [0] * 3)
        self.create_again("quick", [{}] * 3)
        for batch in self.finite:
            if not batch.cancel_asked:
                state = until(lambda: (now := self.client.state(batch.id))["current_state"] in ENDED
                              and now, f"the end of {batch}")
                equal(state["current_state"], "completed", "the state of a batch that went on")
                if not self.resource.jobs_may_fail:
                    equal(state["jobs"]["failed"], 0, f"jobs that failed: {self.failures(batch)}")
        verify(self.client, self.record)
        settle(self.client, self.record)
        self.stop()
        self.start()
        said = verify(self.client, self.record)
        self.stop()
        return "; ".join([said, *dict.fromkeys(self.told)])

    def failures(self, batch):
        return [job["error"] for job in jobs_of(self.client, batch) if job["error"]][:3]


class Crowd:
    """Clients that create, look and cancel, whatever comes of it, until they are told to stop."""

    def __init__(self, life, seed, count=3):
        self.life, self.stopping, self.faults = life, threading.Event(), []
        self.threads = [threading.Thread(target=self.run, args=(random.Random(f"{seed}/{number}"),))
                        for number in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(DEADLINE)
        if self.faults:
            raise self.faults[0]

    def run(self, choice):
        life, mine = self.life, []
        client = Client(life.server.url, life.server.key)
        try:
            while not self.stopping.is_set():
                made = self.create(choice, client) if len(mine) < 8 else None
                if made:
                    mine.append(made)
                if not mine:
                    continue
                batch = choice.choice(mine)
                batch.saw_state(life.ask(lambda client: client.state(batch.id), client))
                if choice.random() < 0.3:
                    self.cancel(batch, client)
        except Ended:
            pass
        except Exception as fault:  # told by whoever waits for the crowd
            self.faults.append(fault)

    def create(self, choice, client):
        type, inputs = choice.choice((("sleep", [0, 1, 5, 20, HOUR]), ("quick", [{}] * 4),
                                      ("long", [{}] * 2), ("sleep", [1] * 200)))
        life = self.life
        creation = Creation("", JSON, json.dumps({"type": type, "inputs": inputs}), len(inputs))
        life.record.sent(creation)
        answer = life.ask(lambda client: creation.send(client), client)
        one_of(answer.status, life.resource.creations,
               f"the status of a creation: {answer.text[:300]}")
        life.record.answered(creation)
        return life.record.made(answer.data["batch_id"], len(inputs)) if answer.status == 202 \
            else None

    def cancel(self, batch, client):
        batch.cancel_asked = True
        answer = self.life.ask(lambda client: client.change(batch.id, {"mode": "immediate"}), client)
        if answer.status in (200, 202):
            batch.saw_cancel(answer.data)
            self.life.in_time(answer.data)
        elif answer.status == 500:
            batch.cancel_refused = answer.details
            check(self.life.resource.may_end, f"a cancel was refused: {answer.text[:400]}")
        else:
            answer.is_(409, "batch_already_finished")
