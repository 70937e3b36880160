"""Eight clients at once on one server, held against what each of them wrote down."""

import collections
import json
import random
import threading

import shapes
from checks import Failure, check, equal
from suite import test

THREADS, OPERATIONS, BATCHES = 8, 60, 12
MODES = ({}, {"mode": "graceful", "grace_ms": 100}, {"mode": "immediate"}, {"mode": "drain"})

# What one client saw of one batch: the data of a state answer, and whether a PUT gave it.
Seen = collections.namedtuple("Seen", "data by_put")


class Stormer(threading.Thread):
    """One client. `record` has, for each batch, what it saw, in its order."""

    def __init__(self, suite, number, batches):
        super().__init__()
        self.client = suite.client_of(suite.server)
        self.random = random.Random(number)
        self.batches = batches
        self.record = collections.defaultdict(list)
        self.fault = None

    def run(self):
        try:
            for _ in range(OPERATIONS):
                self.operation(self.random.choice(self.batches))
        except Exception as fault:
            self.fault = fault

    def operation(self, batch):
        step = self.random.choice((self.cancel, self.cancel, self.cancel_job, self.look, self.look,
                                   self.look_at_results, self.submit))
        step(batch)

    def submit(self, _):
        jobs = [self.random.randrange(30) for _ in range(self.random.randrange(1, 60))]
        self.batches.append(self.client.create("sleep", jobs))

    def cancel(self, batch):
        body = dict(self.random.choice(MODES), reason=f"{self.name}-{self.random.random()}")
        prefer = self.random.choice((None, "respond-async"))
        answer = self.client.change(batch, body, headers={"Prefer": prefer} if prefer else None)
        if answer.status != 409:
            check(answer.status in (200, 202), f"a cancel is answered {answer.text}")
            self.record[batch].append(Seen(shapes.state(answer.data, batch_id=batch), True))

    def cancel_job(self, batch):
        answer = self.client.change_job(batch, self.random.randrange(60))
        check(answer.status in (200, 404, 409), f"a job's cancel is answered {answer.text}")

    def look(self, batch):
        self.record[batch].append(Seen(self.client.state(batch), False))
        self.client.status(batch)

    def look_at_results(self, batch):
        data = self.client.get(f"/v1/batches/{batch}/results?page_size=1000").is_(200).data
        numbers = [shapes.job(entry, "status", True)["job"] for entry in data["job_results"]]
        equal(numbers, sorted(set(numbers)), "the jobs of the results")
        if data["complete"]:
            total = data["batch_summary"]["completion"]["total_items"]
            equal(numbers, list(range(total)), "the jobs of complete results")


def identity(cancel):
    """What stays of the first cancel's block, whoever repeats it (G8)."""
    return tuple(json.dumps(cancel[name]) for name in
                 ("requested_at", "mode", "grace_ms", "cause", "requested_by", "reason"))


def check_one_client(record):
    """What one client saw in a row: the end is final (G4), the deadline only comes nearer (G8)."""
    final, deadline, closed = None, None, False
    for data, _ in record:
        cancel = data["cancel"]
        check(not (closed and cancel is None), f"the cancel is gone: {data}")
        if cancel:
            if deadline is not None:
                check(cancel["deadline_at"] and cancel["deadline_at"] <= deadline,
                      f"the deadline went from {deadline} to {cancel['deadline_at']}")
            closed, deadline = True, cancel["deadline_at"]
        lasting = (data["current_state"], data["timestamp"], data["jobs"], cancel)
        check(final is None or final == lasting, f"after its end: {final}, then {lasting}")
        if data["current_state"] in shapes.TERMINAL:
            final = lasting


def check_batch(client, batch, records):
    """All that was seen of a batch: one cancel (G8), whose results are complete (G6)."""
    seen = [one for record in records for one in record]
    end = client.state(batch)
    check(end["current_state"] in shapes.TERMINAL, f"{batch} is {end['current_state']}")
    blocks = {identity(one.data["cancel"]) for one in seen if one.data["cancel"]}
    changed = sum(one.data["changed"] for one in seen if one.by_put)
    cancelled = end["current_state"] == "cancelled"
    equal(changed, int(cancelled), f"how many cancels changed {batch}")
    check(blocks <= ({identity(end["cancel"])} if cancelled else set()), f"the blocks {blocks}")
    for one in seen:
        if one.data["current_state"] == end["current_state"]:
            equal(one.data["jobs"], end["jobs"], "the account at the end")
    check_results(client, batch, end)


def check_results(client, batch, end):
    entries = client.results(batch)
    equal([entry["job"] for entry in entries], list(range(end["jobs"]["total"])), "the entries")
    found = collections.Counter(entry["disposition"] or entry["status"] for entry in entries)
    wanted = {name: end["jobs"][name] for name in ("succeeded", "failed", *shapes.DISPOSITIONS)}
    equal({name: found[name] for name in wanted}, wanted, "the account by the entries")
    equal(sum(entry["late"] for entry in entries), end["jobs"]["late"], "late")
    if end["cancel"]:
        for entry in entries:
            check(not entry["started_at"] or entry["started_at"] <= end["cancel"]["requested_at"],
                  f"a job started after {end['cancel']['requested_at']}: {entry}")


@test
def storm(suite):
    """8 clients submit, cancel, cancel single jobs and read: G4, G6 and G8 hold in their records"""
    batches = [suite.client.create("sleep", [n % 40 for n in range(80)]) for _ in range(BATCHES)]
    stormers = [Stormer(suite, number, batches) for number in range(THREADS)]
    for stormer in stormers:
        stormer.start()
    for stormer in stormers:
        stormer.join()
    for stormer in stormers:
        if stormer.fault:
            raise Failure(f"{stormer.name}: {stormer.fault!r}") from stormer.fault

    for batch in batches:
        suite.client.until_ended(batch)
    for stormer in stormers:
        for record in stormer.record.values():
            check_one_client(record)
    for batch in batches:
        check_batch(suite.client, batch, [stormer.record[batch] for stormer in stormers])
    cancelled = sum(one.data["changed"] for stormer in stormers
                    for record in stormer.record.values() for one in record)
    check(cancelled >= BATCHES // 2, f"only {cancelled} batches were cancelled: no storm")
