"""Modes, grace, and a cancel on top of a cancel."""

import threading

import shapes
from checks import check, equal, until
from suite import test

ASYNCHRONOUS = {"Prefer": "respond-async"}


def draining(client, jobs=3):
    """A batch in mode drain whose two running jobs sleep for an hour."""
    batch = client.sleeping(jobs=jobs)
    answer = client.change(batch, {"mode": "drain", "reason": "slowly"}, headers=ASYNCHRONOUS)
    return batch, shapes.state(answer.is_(202).data)["cancel"]


@test
def drain(suite):
    """mode drain: no deadline, no grace, nothing running is told to stop"""
    batch, cancel = draining(suite.client)

    for name, value in (("mode", "drain"), ("deadline_at", None), ("grace_ms", None),
                        ("finished_at", None), ("escalated", None)):
        equal(cancel[name], value, name)
    jobs = suite.client.get(f"/v1/batches/{batch}/jobs").is_(200).data["jobs"]
    equal([job["state"] for job in jobs], ["running", "running", "cancelled"], "the jobs")
    equal(jobs[2]["ended_at"], cancel["requested_at"], "ended_at of the job that never started")


@test
def drain_to_its_end(suite):
    """mode drain waits for what runs: those jobs succeed, and are late"""
    batch = suite.client.sleeping(jobs=100, ms=700)

    answer = suite.client.change(batch, {"mode": "drain"}).is_(200)

    data = shapes.state(answer.data, current_state="cancelled", changed=True)
    jobs = data["jobs"]
    equal((jobs["stopped"], jobs["failed"]), (0, 0), "stopped, failed")
    check(jobs["late"] in (1, 2) and jobs["succeeded"] + jobs["not_started"] == 100, f"{jobs}")
    requested = data["cancel"]["requested_at"]
    for entry in suite.client.results(batch):
        if entry["status"] == "succeeded":
            equal(entry["result"], {"ms": 700}, "the result")
            check(entry["late"] or entry["ended_at"] <= requested, f"not late: {entry}")


@test
def graceful_on_drain(suite):
    """graceful on top of drain stops what runs, and is noted in escalated"""
    batch, first = draining(suite.client)

    answer = suite.client.change(batch, {"mode": "graceful", "grace_ms": 1500, "reason": "now"})

    data = shapes.state(answer.is_(200).data, previous_state="cancelling",
                        current_state="cancelled", changed=False)
    equal((data["jobs"]["stopped"], data["jobs"]["not_started"]), (2, 1), "stopped, not_started")
    cancel = data["cancel"]
    for name in ("requested_at", "mode", "grace_ms", "cause", "requested_by", "reason"):
        equal(cancel[name], first[name], name)
    escalated = cancel["escalated"]
    equal((escalated["mode"], escalated["grace_ms"]), ("graceful", 1500), "escalated")
    check(escalated["by"], "escalated.by is empty")
    check(first["requested_at"] <= escalated["at"] <= cancel["finished_at"], f"{cancel}")
    over_by = shapes.moment(cancel["deadline_at"]) - shapes.moment(escalated["at"])
    check(2.5 <= over_by.total_seconds() < 60, f"deadline_at lies {over_by} after escalated.at")


@test
def immediate_on_drain(suite):
    """immediate on top of drain: escalated with grace 0"""
    batch, _ = draining(suite.client)

    data = shapes.state(suite.client.change(batch, {"mode": "immediate"}).is_(200).data)

    escalated = data["cancel"]["escalated"]
    equal((escalated["mode"], escalated["grace_ms"]), ("immediate", 0), "escalated")
    equal(data["cancel"]["mode"], "drain", "mode")


@test
def waiters_share_the_end(suite):
    """cancels that wait for a drain are all answered when another ends it; one changed it"""
    batch = suite.client.sleeping(jobs=3)
    answers = []
    clients = [suite.client_of(suite.server) for _ in range(4)]
    threads = [threading.Thread(target=lambda client=client: answers.append(
        client.change(batch, {"mode": "drain"}))) for client in clients]
    for thread in threads:
        thread.start()
    suite.client.until_state(batch, "cancelling")

    suite.client.change(batch, {"mode": "immediate"}).is_(200)
    until(lambda: len(answers) == 4, "the answers to the waiting cancels")

    for thread in threads:
        thread.join()
    for answer in answers:
        shapes.state(answer.is_(200).data, current_state="cancelled")
    equal(sum(answer.data["changed"] for answer in answers), 1, "how many changed it")
    equal(len({answer.data["cancel"]["requested_at"] for answer in answers}), 1, "the blocks")


@test
def modes_and_graces(suite):
    """grace_ms as asked for, at most the type's; 0 for immediate"""
    for body, grace in (({"grace_ms": 0}, 0), ({"grace_ms": 1}, 1), ({"grace_ms": 2000}, 2000),
                        ({"grace_ms": 2001}, 2000), ({"grace_ms": 3_600_000}, 2000),
                        ({"mode": "graceful"}, 2000), ({"mode": "immediate"}, 0)):
        batch = suite.client.sleeping(jobs=3)

        cancel = shapes.state(suite.client.change(batch, body).is_(200).data)["cancel"]

        equal((cancel["grace_ms"], cancel["mode"]), (grace, body.get("mode", "graceful")), "block")
        over_by = shapes.moment(cancel["deadline_at"]) - shapes.moment(cancel["requested_at"])
        check(over_by.total_seconds() >= grace / 1000 + 1, f"deadline_at after {over_by}")


@test
def grace_of_the_batch(suite):
    """a batch's grace_ms tightens the type's, and is the most that a cancel gets"""
    batch = suite.client.sleeping(jobs=3, options={"grace_ms": 700})
    equal(suite.client.status(batch)["options"]["grace_ms"], 700, "options.grace_ms")
    cancel = suite.client.change(batch, {"grace_ms": 1500}).data["cancel"]
    equal(cancel["grace_ms"], 700, "grace_ms")

    looser = suite.client.sleeping(jobs=3, options={"grace_ms": 3_600_000})
    equal(suite.client.status(looser)["options"]["grace_ms"], 2000, "options.grace_ms")


@test
def drained_batch_keeps_results(suite):
    """what was processed before a cancel keeps its result"""
    client = suite.client
    batch = client.create("sleep", [0, 0, 0, 3_600_000, 3_600_000, 0], options={"concurrency": 2})
    until(lambda: client.state(batch)["jobs"]["succeeded"] == 3
          and client.state(batch)["jobs"]["still_running"] == 2, "three succeeded, two running")
    before = client.get(f"/v1/batches/{batch}/results").data["job_results"]

    data = shapes.state(client.change(batch).is_(200).data)

    equal((data["jobs"]["succeeded"], data["jobs"]["stopped"], data["jobs"]["not_started"]),
          (3, 2, 1), "the account")
    after = client.results(batch)
    equal(after[:3], before, "what had ended before")
    equal(len(after), 6, "entries")
