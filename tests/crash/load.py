"""Clients that create, look and cancel, and write down what they were told."""

import hashlib
import json
import random
import threading
import uuid

import requests

from checks import DEADLINE
from client import Client
from record import ENDED_BATCH

THREADS = 4
MINE_MAX = 12  # batches of one client; then it makes no more
LINES = {"Content-Type": "application/x-ndjson"}
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


class Creation:
    """A POST that can be repeated."""

    def __init__(self, query, headers, body, total, digests=None):
        self.query, self.body, self.total, self.digests = query, body, total, digests
        self.headers = {**headers, "Idempotency-Key": str(uuid.uuid4())}

    def send(self, client):
        return client.call("POST", f"/v1/batches{self.query}", headers=self.headers,
                           data=self.body)


class Load:
    def __init__(self, client, server, record, seed):
        self.server, self.record = server, record
        self.threads = [Worker(client.url, client.key, server, record, f"{seed}/{number}",
                               record.all()[number::THREADS]) for number in range(THREADS)]

    def begin(self):
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join(DEADLINE)
        for thread in self.threads:
            if thread.fault:
                raise thread.fault

    def done(self):
        total = {}
        for thread in self.threads:
            for what, count in thread.counts.items():
                total[what] = total.get(what, 0) + count
        return ", ".join(f"{count} {what}" for what, count in sorted(total.items()))


class Worker(threading.Thread):
    """One client. It ends when the server does."""

    def __init__(self, url, key, server, record, seed, mine):
        super().__init__()
        self.client, self.server, self.record = Client(url, key), server, record
        self.random = random.Random(seed)
        self.counts, self.mine, self.fault = {}, mine, None

    def run(self):
        looks = [self.look, self.look, self.look_at_state, self.cancel, self.cancel_job, self.cancel_many]
        actions = [self.create, self.create_lines, self.create_rest, self.upload, *looks]
        try:
            while True:
                if not self.mine:
                    action = self.create
                else:
                    action = self.random.choice(actions if len(self.mine) < MINE_MAX else looks)
                action()
                self.counts[action.__name__] = self.counts.get(action.__name__, 0) + 1
        except requests.RequestException:
            pass  # the server was killed
        except Exception as fault:  # told by whoever joins
            if self.server.alive():
                self.fault = fault

    def pick(self):
        return self.random.choice(self.mine)

    def inputs(self, count):
        """Most are short; some go on until they are stopped."""
        return [self.random.choice((0, 0, 1, 3, 10, 30)) if self.random.random() < 0.99
                else 3_600_000 for _ in range(count)]

    def send(self, creation):
        self.record.sent(creation)
        answer = creation.send(self.client)
        self.record.answered(creation)
        batch = self.record.made(answer.is_(202).data["batch_id"], creation.total, creation.digests)
        self.mine.append(batch)

    def create(self):
        type = self.random.choice(("sleep", "sleep", "spin", "checksum"))
        count = self.random.randint(1, 60)
        inputs = self.inputs(count)
        if type == "checksum":
            inputs = [f"{self.random.randint(0, 4)}.bin" for _ in range(count)]
        options = {"max_attempts": self.random.randint(1, 2), "backoff_ms": 20}
        body = json.dumps({"type": type, "inputs": inputs, "options": options})
        self.send(Creation("", JSON, body, count))

    def create_lines(self):
        count = self.random.choice((10, 100, 1000))
        body = "".join(f"{ms}\n" for ms in self.inputs(count))
        self.send(Creation("?type=sleep&weight=20", LINES, body, count))

    def upload(self):
        """A form with some files, of which one may be larger than what is sent at once."""
        files = [self.random.randbytes(self.random.choice((0, 10, 1000, 300_000)))
                 for _ in range(self.random.randint(1, 8))]
        parts = [('name="type"', b"checksum")]
        parts += [(f'name="file"; filename="{number}"', file) for number, file in enumerate(files)]
        body = b"".join(b"--x\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (head.encode(), bytes_)
                        for head, bytes_ in parts) + b"--x--\r\n"
        digests = [hashlib.sha256(file).hexdigest() for file in files]
        self.send(Creation("", FORM, body, len(files), digests))

    def create_rest(self):
        """A new batch of what an ended one has left."""
        batch = self.pick()
        state = self.client.state(batch.id)
        batch.saw_state(state)
        left = batch.total - state["jobs"]["succeeded"]
        if state["current_state"] not in ENDED_BATCH or left == 0:
            return self.look()
        self.send(Creation("", JSON, json.dumps({"from": batch.id}), left))

    def look(self):
        batch = self.pick()
        cursor = self.random.randrange(0, batch.total, 100)
        for job in self.client.get(f"/v1/batches/{batch.id}/jobs?limit=100&cursor={cursor}") \
                .is_(200).data["jobs"]:
            batch.saw_job(job)

    def look_at_state(self):
        batch = self.pick()
        batch.saw_state(self.client.state(batch.id))

    def cancel(self):
        if self.random.random() < 0.5:
            return self.look()
        batch = self.pick()
        mode = self.random.choice(("graceful", "immediate", "drain"))
        body = {"mode": mode}
        if mode == "graceful":
            body["grace_ms"] = self.random.choice((0, 100, 2000))
        headers = {"Prefer": self.random.choice(("respond-async", "wait=1"))}
        batch.cancel_asked = True
        answer = self.client.change(batch.id, body, headers=headers)
        if answer.status in (200, 202):
            batch.saw_cancel(answer.data)
        elif answer.status == 500:
            batch.cancel_refused = answer.details
        else:
            answer.is_(409, "batch_already_finished")

    def cancel_many(self):
        """Two or three of this client's, as one."""
        if self.random.random() < 0.8:
            return self.look()
        some = self.random.sample(self.mine, min(len(self.mine), self.random.randint(2, 3)))
        for batch in some:
            batch.cancel_asked = True
        body = {"ids": [batch.id for batch in some], "mode": self.random.choice(("immediate", "drain"))}
        answer = self.client.call("POST", "/v1/batches/cancel", json=body, headers={"Prefer": "respond-async"})
        if answer.status != 500 and answer.data["operation_id"]:
            self.record.cancelled(answer.data["operation_id"], some)

    def cancel_job(self):
        batch = self.pick()
        job = self.random.randrange(batch.total)
        batch.jobs_asked.add(job)
        answer = self.client.change_job(batch.id, job, {"mode": "immediate"})
        if answer.status in (200, 202):
            batch.jobs_cancelled[job] = answer.data
        else:
            answer.is_(409, "job_already_finished")
